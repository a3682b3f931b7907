"""Message ids of the event stream: ``<milliseconds>:<sequence>:<index>:<last 0|1>``.

The first two name an entry of the stored stream, the third one event in it; the flag marks the entry's last event.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_END = 1 << 62
_LIMIT = 1 << 63
_NUMBER = r"[+-]?[0-9]+"
_ID = re.compile(rf"({_NUMBER}):({_NUMBER}):({_NUMBER}):(1|t|T|true|True|TRUE|0|f|F|false|False|FALSE)")
_LEGACY = re.compile(rf"({_NUMBER})-({_NUMBER})")


class Position(NamedTuple):
    """A place in a job set's stream: reading resumes with the first event that is greater."""

    millisecond: int
    sequence: int
    event: int


START = Position(-1, -1, -1)


def message_id(position: Position, last: bool) -> str:
    """Return the id of the event at a position."""
    return f"{position.millisecond}:{position.sequence}:{position.event}:{int(last)}"


def parse_message_id(text: str) -> Position:
    """Return the position that reading resumes after.

    An id of an entry's last event, and the older form ``<milliseconds>-<sequence>``, stand for the end of their entry.

    :raises ValueError: the text is of neither form
    """
    if not text:
        return START
    match = _ID.fullmatch(text) or _LEGACY.fullmatch(text)
    if match is None or any(len(number) > 20 or not -_LIMIT <= int(number) < _LIMIT for number in match.groups()[:3]):
        raise ValueError(f"[{' '.join(text.split('-'))}] is not a valid redis identifier")
    millisecond, sequence, *rest = match.groups()
    at_end = not rest or rest[1][0] in "1tT"
    return Position(int(millisecond), int(sequence), _END if at_end else int(rest[0]))
