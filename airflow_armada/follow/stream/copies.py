"""Which jobs of a job set are copies of one submission.

When Armada's message bus pauses while a job is submitted, the server publishes each attempt once the bus is back, and
fails to remember the client id of any: one submission makes several jobs. Their ``submitted`` events carry the same
client id, which is how whoever follows the job set can tell.
"""

from __future__ import annotations

from airflow_armada.follow.stream.tracked_job import TrackedJob

REMEMBERED = 5000
"""Submissions that are remembered for those who begin to follow a job after its copies were told of."""

MOST_COPIES = 100
"""Jobs of one submission that are remembered."""


class Copies:
    """Finds copies of followed jobs."""

    def __init__(self) -> None:
        self._submitted: dict[str, tuple[str, ...]] = {}
        self._followed: dict[str, dict[str, TrackedJob]] = {}

    def follow(self, tracked: TrackedJob) -> None:
        """Look for copies of a job from now on, and among the newest that were told of already."""
        client_id = tracked.job.client_id
        if client_id:
            self._followed.setdefault(client_id, {})[tracked.job.job_id] = tracked
            self._compare(client_id)

    def forget(self, tracked: TrackedJob) -> None:
        """Look for copies of a job no longer."""
        followed = self._followed.get(tracked.job.client_id, {})
        followed.pop(tracked.job.job_id, None)
        if not followed:
            self._followed.pop(tracked.job.client_id, None)

    def submitted(self, client_id: str, job_id: str) -> None:
        """Take the client id of a ``submitted`` event."""
        known = self._submitted.pop(client_id, ())
        self._submitted[client_id] = known if job_id in known else (*known, job_id)[-MOST_COPIES:]
        if len(self._submitted) > REMEMBERED:
            del self._submitted[next(iter(self._submitted))]
        self._compare(client_id)

    def _compare(self, client_id: str) -> None:
        followed = self._followed.get(client_id)
        if not followed:
            return
        # A job that somebody else follows is wanted, whatever its client id.
        copies = tuple(job_id for job_id in self._submitted.get(client_id, ()) if job_id not in followed)
        for tracked in followed.values():
            tracked.take_copies(copies)
