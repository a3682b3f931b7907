"""What must be known of a job in order to follow it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_armada.client.job_ref import JobRef


@dataclass(frozen=True)
class FollowedJob:
    """A job that has been submitted.

    :param ref: which job it is
    :param submitted_at: when it was submitted, in seconds since the epoch; an early guess is harmless, a late one is
        made good by snapshots
    :param namespace: the Kubernetes namespace of its pod, where its log is read
    :param containers: the names of its containers, for its log; empty means that there is one
    :param client_id: the client id it was submitted with, by which copies of it are found; empty to look for none
    """

    ref: JobRef
    submitted_at: float
    namespace: str = "default"
    containers: tuple[str, ...] = ()
    client_id: str = ""

    @property
    def job_id(self) -> str:
        """The id that Armada gave it."""
        return self.ref.job_id
