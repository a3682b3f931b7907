"""What must be known of a job in order to follow it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FollowedJob:
    """A job that has been submitted.

    :param queue: its queue
    :param job_set_id: its job set
    :param job_id: the id that Armada gave it
    :param submitted_at: when it was submitted, in seconds since the epoch; an early guess is harmless, a late one is
        made good by snapshots
    :param namespace: the Kubernetes namespace of its pod, where its log is read
    :param containers: the names of its containers, for its log; empty means that there is one
    :param client_id: the client id it was submitted with, by which copies of it are found; empty to look for none
    """

    queue: str
    job_set_id: str
    job_id: str
    submitted_at: float
    namespace: str = "default"
    containers: tuple[str, ...] = ()
    client_id: str = ""
