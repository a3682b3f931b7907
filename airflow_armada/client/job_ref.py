"""Which job is meant."""

from __future__ import annotations

from typing import NamedTuple


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
