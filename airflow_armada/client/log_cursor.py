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
        except (TypeError, ValueError):
            return BEGINNING


BEGINNING = Position()


class Line(NamedTuple):
    """A line as the log service gives it."""

    timestamp: str
    line: bytes


class Page(NamedTuple):
    """What is new in an answer of the log service.

    :param lines: all of its lines that can be relied on
    :param ordinals: for each line, the how-manieth it is of those with its timestamp
    :param start: index of the first one that was not shown before
    :param more: whether the answer was cut, so that there is more to be had at once
    """

    lines: Sequence[Line]
    ordinals: Sequence[int]
    start: int
    more: bool

    def after(self, index: int) -> Position:
        """Return the position once the lines before an index have been shown."""
        return Position(self.lines[index - 1].timestamp, self.ordinals[index - 1])


def read_page(position: Position, lines: Sequence[Line]) -> Page:
    """Find what is new in an answer to a request for lines since a position.

    The last line of an answer that the server cut may be cut, too: it is left for the next one, unless there is no
    other new line, when waiting would not make it any longer.
    """
    start = _first_new(position, lines)
    more = sum(len(line.timestamp) + len(line.line) + 2 for line in lines) >= _FULL
    if more and len(lines) - start > 1:
        lines = lines[:-1]
    seen: Counter[str] = Counter()
    ordinals = []
    for line in lines:
        seen[line.timestamp] += 1
        ordinals.append(seen[line.timestamp])
    return Page(lines, ordinals, start, more)


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
    seconds = min(nanoseconds(position.timestamp) // 1_000_000_000 + 1, LAST_SECOND)
    moment = datetime.fromtimestamp(seconds, UTC)
    return Position(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), 0)
