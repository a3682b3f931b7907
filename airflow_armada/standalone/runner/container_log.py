"""The log of a container: lines of both output streams, each with the nanosecond at which it came."""

from __future__ import annotations

import os
from bisect import bisect_left
from datetime import UTC, datetime

from airflow_armada.standalone import clock

NEWLINE = b"\n"
_STAMP_BYTES = len("2006-01-02T15:04:05.000000000Z ")


LINE_COST = 128
"""Bytes that the shortest line takes, with its time and its newline."""


class LogSpace:
    """What all logs may take together.

    :param limit: bytes
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class ContainerLog:
    """What a container has written.

    :param limit: bytes kept, every line with what it costs; the oldest lines give way to new ones
    :param space: shared with other logs; where it is full, whoever writes loses lines
    """

    def __init__(self, limit: int, space: LogSpace | None = None) -> None:
        self._limit = limit
        self._space = space or LogSpace(limit)
        self._stamps: list[int] = []
        self._lines: list[bytes] = []
        self._size = 0
        self._rest = bytearray()

    def feed(self, content: bytes) -> None:
        """Take what was read from the container's output."""
        *lines, rest = content.split(NEWLINE)
        for line in lines:
            self._add(bytes(self._rest) + line)
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > self._limit:
            self.close()

    def close(self) -> None:
        """Keep an unfinished last line as a line."""
        if self._rest:
            self._add(bytes(self._rest))
            self._rest.clear()

    def _add(self, line: bytes) -> None:
        stamp = clock.time_ns()
        self._stamps.append(max(stamp, self._stamps[-1] + 1) if self._stamps else stamp)
        self._lines.append(line)
        self._count(len(line) + LINE_COST)
        if self._size > self._limit or self._space.used > self._space.limit:
            self._drop((len(self._lines) + 1) // 2)

    def _count(self, size: int) -> None:
        self._size += size
        self._space.used += size

    def _drop(self, count: int) -> None:
        self._count(-sum(len(line) + LINE_COST for line in self._lines[:count]))
        del self._stamps[:count]
        del self._lines[:count]

    def tail(self, count: int) -> bytes:
        """Return the last lines as they were written."""
        return b"".join(line + NEWLINE for line in self._lines[-count:])

    def clear(self) -> None:
        """Forget everything."""
        self._drop(len(self._lines))

    def page(self, since: int, tail: int | None, limit: int) -> list[tuple[int, bytes]]:
        """Return the lines that Kubernetes would return for a log request.

        The byte limit counts each line with its time and its newline, from the start of the range; a line that it cuts
        is kept as far as it goes, as Kubernetes does.

        :param since: nanoseconds since 1970; older lines are left out
        :param tail: how many of the last lines to consider at most
        :param limit: bytes in all
        """
        first = bisect_left(self._stamps, since)
        if tail is not None:
            first = max(first, len(self._lines) - tail)
        page = []
        for index in range(first, len(self._lines)):
            if limit < _STAMP_BYTES:
                break
            line = self._lines[index]
            page.append((self._stamps[index], line[: limit - _STAMP_BYTES]))
            limit -= _STAMP_BYTES + len(line) + len(NEWLINE)
        return page


def rfc3339(nanoseconds: int) -> str:
    """Return a time with nine digits after the point, as Kubernetes writes the times of log lines."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def read_available(descriptor: int) -> bytes | None:
    """Return what a non-blocking descriptor holds now, up to a bound: ``None`` if nothing, empty at its end."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return None
