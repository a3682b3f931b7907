"""A job as its watch sees it: its state, and who waits for it to change."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_armada.client.errors import ArmadaError
from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.state import NEW, JobState, fold


class TrackedJob:
    """The state of one followed job, shared by all of its followers in this process.

    :param job: what is followed
    """

    __slots__ = (
        "change",
        "followers",
        "heard",
        "interval",
        "job",
        "known",
        "next_sweep",
        "notice",
        "refusal",
        "state",
        "swept",
        "unknown_since",
        "waiters",
    )

    def __init__(self, job: FollowedJob) -> None:
        self.job = job
        self.state: JobState = NEW
        self.change = 0
        self.notice = ""
        self.followers = 0
        self.waiters: list[asyncio.Future[None]] = []
        self.refusal: ArmadaError | None = None
        # What the sweep keeps, in loop time: last event (0 for none), last snapshot, next one, pause between them;
        # whether the query API has ever known the job, and since when it does not.
        self.heard = 0.0
        self.swept = 0.0
        self.next_sweep = 0.0
        self.interval = 0.0
        self.known = False
        self.unknown_since: float | None = None

    def fold(self, kind: str, body: Any) -> bool:
        """Take an event.

        :return: whether it changed what the followers would say, so that they should be woken
        """
        old, new = self.state, fold(self.state, kind, body)
        if new is old:
            return False
        self.state = new
        return new.phase != old.phase or new.notes != old.notes or new.end != old.end or new.cluster != old.cluster

    def end(self, state: JobState) -> None:
        """Take an end that no event told."""
        if not self.state.end:
            self.state = state
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
        """Let every waiter look again."""
        self.change += 1
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self, since: int, timeout: float | None) -> None:
        """Return when there has been a change since one that is known, or when time is up.

        :param since: the value of :attr:`change` that the caller has seen
        :param timeout: seconds, or None to wait as long as it takes
        """
        if self.change != since or (timeout is not None and timeout <= 0):
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self.waiters.append(waiter)
        timer = loop.call_later(timeout, _release, waiter) if timeout is not None else None
        try:
            await waiter
        finally:
            if timer:
                timer.cancel()
            if waiter in self.waiters:
                self.waiters.remove(waiter)


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
