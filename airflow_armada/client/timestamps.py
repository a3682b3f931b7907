"""Times on the wire and in outcomes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")
_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last one with a text of RFC 3339."""


def rfc3339(timestamp: Any) -> str:
    """Write a protobuf timestamp as UTC with microseconds, so that later times are larger texts.

    :return: the time; "" if it is unset, or none that people know
    """
    seconds, nanos = timestamp.seconds, timestamp.nanos
    possible = 0 <= seconds <= _LAST_SECOND and 0 <= nanos < 1_000_000_000
    return f"{_second(seconds)}.{nanos // 1000:06d}Z" if possible and (seconds or nanos) else ""


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def nanoseconds(text: str) -> int:
    """Return an RFC 3339 time as nanoseconds since the epoch, to the last digit; 0 for what is no such time.

    ``datetime`` keeps microseconds only, and log lines are told apart by nanoseconds.
    """
    match = _RFC3339.fullmatch(text)
    if not match:
        return 0
    seconds, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    try:
        whole = int(datetime.fromisoformat(seconds.upper() + offset).timestamp())
    except (ValueError, OverflowError):
        return 0
    return whole * 1_000_000_000 + int((fraction or "").ljust(9, "0")[:9])


def moment(text: str) -> datetime | None:
    """Return an RFC 3339 time, of whose fraction microseconds remain; None for what is no such time."""
    nanos = nanoseconds(text)
    try:
        return _EPOCH + timedelta(microseconds=nanos // 1000) if nanos else None
    except OverflowError:  # its zone carries it out of the years that there are
        return None
