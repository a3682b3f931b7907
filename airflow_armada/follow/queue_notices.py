"""Saying in a job's log why it is still queued, seldom: the scheduler says much the same in each round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from airflow_armada.follow import background
from airflow_armada.follow.site import Site
from airflow_armada.follow.state.progress import QUEUED, SUBMITTED
from airflow_armada.follow.stream.tracked_job import TrackedJob


class QueueNotices:
    """What is said of one job while it is queued.

    :param site: where it is asked for
    :param tracked: the job
    :param after: seconds of waiting before it is asked for the first time
    :param say: takes a reason that was not said before
    """

    __slots__ = ("_asking", "_pause", "_reason", "_say", "_site", "_tracked", "next")

    def __init__(self, site: Site, tracked: TrackedJob, after: float, say: Callable[[str], None]) -> None:
        self._site = site
        self._tracked = tracked
        self._say = say
        self._reason = ""
        self._pause = site.timings.explain_interval
        self._asking: asyncio.Task[None] | None = None
        self.next = time.time() + after

    @property
    def wanted(self) -> bool:
        """Whether the job is queued, so that it is time to ask at :attr:`next`, in seconds since the epoch."""
        return self._tracked.state.phase in (SUBMITTED, QUEUED)

    def look(self) -> None:
        """Ask if it is time for it; the answer is said when it comes."""
        if self.wanted and time.time() >= self.next:
            self.next = time.time() + self._pause
            self._pause *= 2
            self._asking = asyncio.create_task(self._ask())

    async def last(self) -> str:
        """Return why the job is queued, as it is known now or was said last; "" if nobody knows."""
        return await self._site.queue_reasons.ask(self._tracked.job) or self._reason

    async def close(self) -> None:
        """End what is being asked."""
        if self._asking:
            await background.end(self._asking)

    async def _ask(self) -> None:
        reason = await self._site.queue_reasons.ask(self._tracked.job)
        if reason and reason != self._reason and self.wanted:
            self._reason = reason
            self._say(f"still queued: {reason}")
