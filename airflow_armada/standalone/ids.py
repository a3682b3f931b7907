"""Identifiers and times as Armada writes them."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from airflow_armada.api.timestamp_pb2 import Timestamp
from airflow_armada.standalone import clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ULID = re.compile(rf"[0-7][{_ALPHABET}]{{25}}", re.IGNORECASE)


random_bytes: ContextVar[Callable[[int], bytes]] = ContextVar("random_bytes", default=os.urandom)
"""Where ids come from; a simulation that is to be repeatable sets its own."""


class UlidSource:
    """Makes job ids: ULIDs in lower case that sort in the order in which they were made."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        """Return the next id."""
        fresh = (clock.time_ns() // 1_000_000) << 80 | int.from_bytes(random_bytes.get()(10), "big") >> 1
        self._last = max(fresh, self._last + 1)
        return "".join(_ALPHABET[self._last >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Return whether a text could be a job id."""
    return _ULID.fullmatch(text) is not None


def new_uuid() -> str:
    """Return a fresh id for a run or a pod."""
    return str(uuid.UUID(bytes=random_bytes.get()(16), version=4))


def pod_name(job_id: str, pod_number: int = 0) -> str:
    """Return the name of a job's pod."""
    return f"armada-{job_id}-{pod_number}"


def timestamp(epoch: float | None = None) -> Timestamp:
    """Return a time, by default the present one, as a message.

    :param epoch: seconds since 1970
    """
    nanoseconds = clock.time_ns() if epoch is None else int(epoch * 1_000_000_000)
    return Timestamp(seconds=nanoseconds // 1_000_000_000, nanos=nanoseconds % 1_000_000_000)
