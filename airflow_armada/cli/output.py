"""What a command prints: text for people, JSON for programs; never a stack trace, never a secret."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO
from unicodedata import combining, east_asian_width

from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.foreign_text import printable, storable_value

OK = 0
BAD = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 130


class UsageError(ArmadaError):
    """The arguments of a command do not go together."""


class Output:
    """
    Where a command prints to: results to standard output, everything else to standard error.

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

    def note(self, text: str) -> None:
        """Tell people something beside the result, such as where to look next."""
        self._clear()
        print(printable(text), file=sys.stderr, flush=True)

    def value(self, value: Any) -> None:
        """Print a value for programs; nothing where people read."""
        if self.as_json:
            self._write(json.dumps(storable_value(value), ensure_ascii=False) + "\n")

    def both(self, text: str, value: Any) -> None:
        """Print one thing in its form for people or for programs."""
        self.line(text)
        self.value(value)

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces; only on a terminal."""
        if self.live:
            self._progress = text
            self._stream.write(f"\r\x1b[K{fitted(text, self.width - 1)}")
            self._stream.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table for people; on a terminal no line is wider than that."""
        cells = [list(head), *([printable(cell) for cell in row] for row in rows)]
        widths = [max(width(row[column]) for row in cells) for column in range(len(head))]
        for row in cells:
            padded = (cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True))
            self.line(self.fit("  ".join(padded).rstrip()))

    def fit(self, text: str) -> str:
        """Cut a line where the terminal ends; where the output is no terminal, it stays whole."""
        return fitted(text, self.width) if self.live else text

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        self._clear()
        self._stream.write(text)
        self._stream.flush()

    def _clear(self) -> None:
        if self._progress:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._progress = ""


def width(text: str) -> int:
    """
    :param text: text without control characters
    :return: the columns that a terminal needs for it
    """
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def fitted(text: str, columns: int) -> str:
    """
    :param text: text without control characters
    :param columns: how many there are
    :return: the text, cut with an ellipsis where it needs more
    """
    if width(text) <= columns:
        return text
    kept = text[: max(0, columns - 1)]
    while width(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…"


def age(seconds: float) -> str:
    """
    :param seconds: how long ago something was
    :return: the same in the largest unit that fits, as ``kubectl`` shows it
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def fail(message: str, as_json: bool) -> None:
    """Print an error where errors go."""
    lines = [printable(line) for line in message.split("\n")]
    text = json.dumps({"error": " ".join(lines)}) if as_json else "airflow-armada: " + "\n".join(lines)
    print(text, file=sys.stderr)
