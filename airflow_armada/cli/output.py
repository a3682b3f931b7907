"""What a command prints: text for people, JSON for programs; never a stack trace, never a secret."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

from airflow_armada.client.failure import ArmadaError

OK = 0
BAD = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 130


class UsageError(ArmadaError):
    """The arguments of a command do not go together."""


class Output:
    """
    Where a command prints to.

    :param as_json: whether a program reads it
    :param stream: standard output unless a test gives another
    """

    def __init__(self, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stream = stream or sys.stdout
        self._progress = ""

    @property
    def live(self) -> bool:
        """Whether a line that is written over again makes sense."""
        return not self.as_json and self._stream.isatty()

    def line(self, text: str = "") -> None:
        """Print a line for people; nothing where a program reads."""
        if not self.as_json:
            self._write(f"{text}\n")

    def value(self, value: Any) -> None:
        """Print a value for programs; nothing where people read."""
        if self.as_json:
            self._write(json.dumps(value, ensure_ascii=False) + "\n")

    def both(self, text: str, value: Any) -> None:
        """Print one thing in its form for people or for programs."""
        self.line(text)
        self.value(value)

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces; only on a terminal."""
        if self.live:
            self._progress = text
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table for people."""
        cells = [list(head), *([clean(cell) for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        for row in cells:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _write(self, text: str) -> None:
        if self._progress:
            self._stream.write("\r\x1b[K")
            self._progress = ""
        self._stream.write(text)
        self._stream.flush()


def clean(value: object) -> str:
    """
    :param value: something that a server or a job wrote
    :return: it as text without control characters, which could play tricks on a terminal
    """
    text = str(value)
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf") else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def fail(message: str, as_json: bool) -> None:
    """Print an error where errors go."""
    lines = [clean(line) for line in message.split("\n")]
    text = json.dumps({"error": " ".join(lines)}) if as_json else "airflow-armada: " + "\n".join(lines)
    print(text, file=sys.stderr)
