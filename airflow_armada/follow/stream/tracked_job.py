"""A job as its watch sees it: its state, and who listens to its changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_armada.client.errors import ArmadaError
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import NEW, JobProgress


class TrackedJob:
    """The state of one followed job, shared by all of its followers in this process.

    :param job: what is followed
    """

    __slots__ = (
        "copies",
        "followers",
        "heard",
        "interval",
        "job",
        "known",
        "late",
        "listeners",
        "next_sweep",
        "notice",
        "refusal",
        "state",
        "swept",
        "unknown_since",
    )

    def __init__(self, job: FollowedJob) -> None:
        self.job = job
        self.state: JobProgress = NEW
        self.notice = ""
        self.copies: tuple[str, ...] = ()
        self.followers = 0
        # Called rather than awaited: at thousands of events a second, a turn of a task for each is most of their cost.
        self.listeners: list[Callable[[], None]] = []
        self.refusal: ArmadaError | None = None
        # What the sweep keeps, in loop time: last event (0 for none), last snapshot, next one, pause between them;
        # whether the query API has ever known the job, and since when it does not; whether the job was joined after the
        # stream had passed its submission.
        self.heard = 0.0
        self.swept = 0.0
        self.next_sweep = 0.0
        self.interval = 0.0
        self.known = False
        self.late = False
        self.unknown_since: float | None = None

    @property
    def end_may_have_passed(self) -> bool:
        """Whether the stream may have told the job's end before anybody followed it, so that only snapshots can."""
        return self.late and not self.heard

    def fold(self, kind: str, body: Any) -> bool:
        """Take an event.

        :return: whether it changed what the followers would say, so that they should be woken
        """
        old, new = self.state, fold(self.state, kind, body)
        if new is old:
            return False
        self.state = new
        if new.addresses is not old.addresses:
            return True
        return new.phase != old.phase or new.notes != old.notes or new.end != old.end or new.cluster != old.cluster

    def take(self, state: JobProgress) -> None:
        """Take a state that another source than the stream told."""
        if state != self.state:
            self.state = state
            self.wake()

    def take_copies(self, job_ids: tuple[str, ...]) -> None:
        """Take the ids of further jobs that the submission of this one has made."""
        if job_ids != self.copies:
            self.copies = job_ids
            self.wake()

    def tell(self, notice: str) -> None:
        """Have the followers say something that is not about the job itself, such as an outage."""
        if notice != self.notice:
            self.notice = notice
            self.wake()

    def refuse(self, error: ArmadaError) -> None:
        """Have the followers give up, because the server does not let us see the job."""
        self.refusal = error
        self.wake()

    def wake(self) -> None:
        """Let every listener look again."""
        for listener in self.listeners:
            listener()
