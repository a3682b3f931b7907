"""The log of a container: lines of both output streams, each with the nanosecond at which it came."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from datetime import UTC, datetime

NEWLINE = b"\n"
_STAMP_BYTES = len("2006-01-02T15:04:05.000000000Z ")


class ContainerLog:
    """What a container has written.

    :param limit: bytes kept; the oldest lines give way to new ones
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
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
        stamp = time.time_ns()
        self._stamps.append(max(stamp, self._stamps[-1] + 1) if self._stamps else stamp)
        self._lines.append(line)
        self._size += len(line)
        if self._size > self._limit:
            self._drop_half()

    def _drop_half(self) -> None:
        middle = (len(self._lines) + 1) // 2
        del self._stamps[:middle]
        del self._lines[:middle]
        self._size = sum(map(len, self._lines))

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
