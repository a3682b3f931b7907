"""Following a log through pages that overlap and may be cut short: pure rules, without any I/O."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from airflow_armada.api import binoculars_pb2

logger = logging.getLogger(__name__)

PAGE_BYTES = 2_000_000
"""Where the service cuts a page (``limitBytes``), counting each line with its timestamp."""

_FULL = PAGE_BYTES - 64 * 1024
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_key(timestamp: str) -> tuple[int, int]:
    """Return an RFC 3339 time as (seconds since 1970, nanoseconds), which sorts as the times do; their texts do not.

    :param timestamp: such as ``2026-11-22T10:20:30.123456789Z``
    :raises ValueError: when it is not RFC 3339
    """
    match = _RFC3339.fullmatch(timestamp.strip())
    if not match:
        raise ValueError(f"{timestamp!r} is not an RFC 3339 time such as 2026-11-22T10:20:30Z")
    whole, fraction, zone = match.groups()
    moment = datetime.fromisoformat(whole.upper().replace(" ", "T") + ("+00:00" if zone in "Zz" else zone))
    return int((moment - _EPOCH).total_seconds()), int((fraction or "").ljust(9, "0"))


def is_full(lines: Sequence[binoculars_pb2.LogLine]) -> bool:
    """Tell whether a page may have been cut short, so that there is more to be had at once.

    :param lines: the page
    """
    return sum(len(line.timestamp) + len(line.line) + 2 for line in lines) >= _FULL


class LogPager:
    """Says where each page of a log begins, and which of its lines are new.

    :param since_time: RFC 3339; only lines after it are new; "" for all
    :raises ValueError: when it is not RFC 3339
    """

    def __init__(self, since_time: str = "") -> None:
        self.since_time = since_time
        self.finished = False
        self._after = time_key(since_time) if since_time else (-1, 0)
        self._shown = 0

    def take(self, page: Sequence[binoculars_pb2.LogLine]) -> list[binoculars_pb2.LogLine]:
        """Return the new lines of a page, and move on.

        The last line of a full page may be cut, so it is left for the next page to bring whole.

        :param page: all lines that the service gave for ``since_time``
        """
        full = is_full(page)
        new = self._unseen(page)
        if full and len(new) > 1:
            new.pop()
        self.finished = not full
        if new:
            self._move(new)
        elif full:
            self._skip_second()
        return new

    def _unseen(self, page: Sequence[binoculars_pb2.LogLine]) -> list[binoculars_pb2.LogLine]:
        new = []
        same = 0
        for line in page:
            key = time_key(line.timestamp)
            same += key == self._after
            if key > self._after or (key == self._after and same > self._shown > 0):
                new.append(line)
        return new

    def _move(self, new: Sequence[binoculars_pb2.LogLine]) -> None:
        last = time_key(new[-1].timestamp)
        count = sum(time_key(line.timestamp) == last for line in new)
        self._shown = count + (self._shown if last == self._after else 0)
        self._after, self.since_time = last, new[-1].timestamp

    def _skip_second(self) -> None:
        # One second that fills a whole page cannot be paged through: every page begins with it again.
        logger.warning(
            "More than 2 MB of log in one second, at %s: the rest of that second is skipped", self.since_time
        )
        after = _EPOCH + timedelta(seconds=self._after[0] + 1)
        self.since_time = after.isoformat().replace("+00:00", "Z")
        self._after, self._shown = (self._after[0], 999_999_999), 0
