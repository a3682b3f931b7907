"""Making container output fit for a task log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_armada.client.foreign_text import storable

MAX_BYTES = 8192
"""Longer lines are split: the pipe between triggerer and supervisor loses lines of megabytes."""

_GROUP_MARKER = re.compile(r"::(?=(?:end)?group::)")


def printable(line: bytes) -> Iterator[str]:
    """Give a line as text: split when it is long, what no text may hold replaced, Airflow's group markers defused.

    A job must not be able to fold away the lines around its own in the task log.
    """
    if len(line) <= MAX_BYTES:
        yield _defused(line)
        return
    begin = 0
    while begin < len(line):
        end = _boundary(line, begin + MAX_BYTES)
        yield _defused(line[begin:end])
        begin = end


def _defused(piece: bytes) -> str:
    return _GROUP_MARKER.sub(": :", storable(piece.decode("utf-8", "replace")))


def _boundary(line: bytes, end: int) -> int:
    """Move a cut back to where a character begins; a UTF-8 character has at most three continuation bytes."""
    if end >= len(line):
        return len(line)
    for cut in range(end, end - 4, -1):
        if line[cut] & 0xC0 != 0x80:
            return cut
    return end
