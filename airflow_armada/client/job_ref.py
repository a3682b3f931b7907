"""Which job is meant, and what its id tells."""

from __future__ import annotations

from typing import NamedTuple

_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class JobRef(NamedTuple):
    """
    A job by all that Armada's calls ask for.

    :param queue: its queue.
    :param job_set_id: its job set.
    :param job_id: the id that Armada gave it.
    """

    queue: str
    job_set_id: str
    job_id: str


def created_at(job_id: str) -> float | None:
    """
    Read the time that a job id begins with.

    :param job_id: a ULID, as Armada makes them.
    :return: seconds since the epoch, or None if the id is not a ULID.
    """
    head = job_id[:10].upper()
    if len(job_id) != 26 or any(char not in _ULID for char in head):
        return None
    milliseconds = 0
    for char in head:
        milliseconds = milliseconds * 32 + _ULID.index(char)
    return milliseconds / 1000
