"""Where in a container's log the next line is, and how to find it again.

The log service has no cursor. It is asked for lines since a time, which it rounds down to whole seconds, and it cuts
its answer after 2 MB. So a position is the timestamp of the last line shown and how many lines of that very timestamp
were shown: in an answer that begins at or before that second, everything after that line is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow_armada.client.timestamps import nanoseconds

PAGE_BYTES = 2_000_000
"""The server's limit for one answer, counted over the raw text with its timestamps."""

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last one that RFC 3339 can write."""

_FULL = PAGE_BYTES - 70_000


class Position(NamedTuple):
    """A place in a log.

    :param timestamp: RFC 3339 timestamp of the last line shown, as the server wrote it; "" before the first
    :param shown: how many lines with that timestamp were shown; 0 for a place before all of them
    """

    timestamp: str = ""
    shown: int = 0

    @classmethod
    def parse(cls, value: Any) -> Position:
        """Read a position out of an outcome; the beginning if it is none."""
        try:
            timestamp, shown = value
            return cls(str(timestamp), int(shown))
        except (TypeError, ValueError, OverflowError):
            return BEGINNING


BEGINNING = Position()


class Line(NamedTuple):
    """A line as the log service gives it."""

    timestamp: str
    line: bytes


class Page:
    """What is new in an answer of the log service.

    :param lines: all of its lines that can be relied on
    :param start: index of the first one that was not shown before
    :param more: whether the answer was cut, so that there is more to be had at once
    """

    def __init__(self, lines: Sequence[Line], start: int, more: bool) -> None:
        self.lines = lines
        self.start = start
        self.more = more
        self.skips = False
        self._counted = 0
        self._seen: Counter[str] = Counter()

    @property
    def has_news(self) -> bool:
        """Whether there is any line that was not shown before."""
        return self.start < len(self.lines)

    def after(self, index: int) -> Position:
        """Return the position once the lines before an index have been shown; indexes must not become smaller."""
        self._seen.update(line.timestamp for line in self.lines[self._counted : index])
        self._counted = index
        timestamp = self.lines[index - 1].timestamp
        return Position(timestamp, self._seen[timestamp])


class LogCursor:
    """Follows one log from page to page.

    :param position: where to go on
    """

    def __init__(self, position: Position = BEGINNING) -> None:
        self.position = position
        self._exactly = False

    @property
    def since(self) -> str:
        """The time to ask from: a second too early, for a line that is late and bears the time of the second before."""
        return self.position.timestamp if self._exactly else _second_before(self.position.timestamp)

    def read(self, lines: Sequence[Line]) -> Page:
        """Find what is new in the answer to a request for lines from :attr:`since` on.

        Where a full page shows nothing new, because too much was written in those seconds, the next one is asked for
        from a later time; ``skips`` tells that this leaves lines out.
        """
        page = read_page(self.position, lines)
        stuck = page.more and not page.has_news
        if stuck and self._exactly:
            page.skips = True
            self.position = next_second(self.position)
        self._exactly = stuck
        return page

    def move(self, page: Page, index: int) -> None:
        """Say that the lines of a page before an index have been shown."""
        self.position = page.after(index)


def read_page(position: Position, lines: Sequence[Line]) -> Page:
    """Find what is new in an answer to a request for lines since a position.

    The last line of an answer that the server cut may be cut, too: it is left for the next one, unless there is no
    other new line, when waiting would not make it any longer.
    """
    start = _first_new(position, lines)
    more = sum(len(line.timestamp) + len(line.line) + 2 for line in lines) >= _FULL
    if more and len(lines) - start > 1:
        lines = lines[:-1]
    return Page(lines, start, more)


def _first_new(position: Position, lines: Sequence[Line]) -> int:
    if not position.timestamp:
        return 0
    same = [index for index, line in enumerate(lines) if line.timestamp == position.timestamp]
    if same and position.shown:
        return same[min(position.shown, len(same)) - 1] + 1
    # The place is gone, because the log was rotated or another run writes it: go by time.
    shown = nanoseconds(position.timestamp) - (0 if position.shown else 1)
    later = (index for index, line in enumerate(lines) if nanoseconds(line.timestamp) > shown)
    return next(later, len(lines))


def next_second(position: Position) -> Position:
    """Return the beginning of the next second, for a second that holds more than the server gives at once."""
    return Position(_whole_second(position.timestamp, 1), 0)


def _second_before(timestamp: str) -> str:
    return _whole_second(timestamp, -1) if nanoseconds(timestamp) >= 1_000_000_000 else timestamp


def _whole_second(timestamp: str, later: int) -> str:
    second = min(nanoseconds(timestamp) // 1_000_000_000 + later, LAST_SECOND)
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
