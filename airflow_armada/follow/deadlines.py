"""When waiting for a job is given up.

A follower that begins, after a restart or for a retry, knows nothing of its job yet; and what it knows later may have
stood still while Armada was away. So a deadline that has passed decides only once the truth has been asked for.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from airflow_armada.client.timestamps import nanoseconds
from airflow_armada.follow import background
from airflow_armada.follow.site import Site
from airflow_armada.follow.state.outcome import CANCELLED, QUEUED_TOO_LONG, TIMED_OUT
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.tracked_job import TrackedJob

logger = logging.getLogger(__name__)


class Deadlines:
    """The deadlines of one wait.

    :param site: where the truth is asked for
    :param watch: the watch of the job's set
    :param tracked: the job
    :param end: when to give up waiting for its end, in seconds since the epoch; None for never
    :param start: when to give up waiting for it to run
    :param wake: called when the truth is known, so that somebody looks at :meth:`passed` again
    """

    __slots__ = ("_asking", "_decided", "_end", "_site", "_start", "_tracked", "_wake", "_watch")

    def __init__(
        self,
        site: Site,
        watch: JobSetWatch,
        tracked: TrackedJob,
        end: float | None,
        start: float | None,
        wake: Callable[[], None],
    ) -> None:
        self._site = site
        self._watch = watch
        self._tracked = tracked
        self._end = math.inf if end is None else end
        self._start = math.inf if start is None else start
        self._wake = wake
        self._asking: asyncio.Task[None] | None = None
        self._decided: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return min(self._end, self._start) < math.inf

    def passed(self) -> str:
        """Return the outcome status of a deadline that has passed for sure, else ""."""
        status = self._by_the_clock()
        if status in self._decided:
            return status
        if status and self._asking is None:
            self._asking = background.spawn(self._ask(status), f"armada deadline {self._tracked.job.job_id}")
        return ""

    def behind(self, end: str) -> str:
        """Return the deadline that a job was cancelled for, else how it ended.

        The trigger that has cancelled it may have been taken over before it could say so.
        """
        if end != CANCELLED or not (at := nanoseconds(self._tracked.state.finished_at) / 1e9):
            return end
        if at >= self._end:
            return TIMED_OUT
        return QUEUED_TOO_LONG if at >= self._start and not self._tracked.state.ran else end

    def next(self) -> float:
        """Return the next moment at which one passes, in seconds since the epoch."""
        moments = (self._end, math.inf if self._tracked.state.ran else self._start)
        return min((moment for moment in moments if moment > time.time()), default=math.inf)

    async def close(self) -> None:
        """End what runs for them."""
        await background.end(self._asking)

    def _by_the_clock(self) -> str:
        now = time.time()
        if now >= self._end:
            return TIMED_OUT
        return QUEUED_TOO_LONG if now >= self._start and not self._tracked.state.ran else ""

    async def _ask(self, status: str) -> None:
        """Ask until somebody has told where the job stands, or for as long as is bearable."""
        timings = self._site.timings
        give_up = time.monotonic() + timings.deadline_grace
        try:
            while not await self._learned(status):
                left = give_up - time.monotonic()
                if left <= 0:
                    break
                await asyncio.sleep(min(timings.degraded_sweep, left))
        except Exception:
            logger.exception("Cannot ask where job %s stands; its deadline counts", self._tracked.job.job_id)
        self._asking = None
        self._decided.add(status)
        self._wake()

    async def _learned(self, status: str) -> bool:
        """Ask each source once that may know more; true when the job's state is known."""
        await self._site.snapshots.ask(self._watch, self._tracked)
        moot = self._tracked.state.end or self._by_the_clock() != status
        if moot or self._watch.has_told_all(self._tracked):
            return True
        return await self._site.snapshots.history.read_whole(self._watch, self._tracked)
