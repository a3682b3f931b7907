"""Snapshots of many jobs at once: the truth behind the events.

Joiners are collected for a moment, jobs that have been silent for long are looked after now and then, and a call takes
up to 500 of them. A snapshot changes a state only where it is ahead of the events, and it takes the history and the
query API together to call a job lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from airflow_armada.client.errors import ArmadaError
from airflow_armada.follow.state import job_details, progress
from airflow_armada.follow.stream.history import Findings, History, QueryApi
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.tracked_job import TrackedJob
from airflow_armada.follow.timings import Timings

logger = logging.getLogger(__name__)

BATCH = 500
"""Job ids in one call; the server refuses more (``queryapi.maxQueryItems``)."""

_PARALLEL = 4
_AT_ONCE = 100
"""Snapshots folded, and so followers woken, in one turn of the event loop."""

Entry = tuple[JobSetWatch, TrackedJob]


class _Question(NamedTuple):
    """Somebody waits for the snapshot of a job.

    :param answer: whether the query service has answered
    """

    watch: JobSetWatch
    answer: asyncio.Future[bool]

    def settle(self, *, answered: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(answered)


class Snapshots:
    """Takes the snapshots of all followers of a site.

    :param client: the query API
    :param watches: the site's watches, which change while this runs
    :param timings: waiting times
    """

    def __init__(self, client: QueryApi, watches: dict[tuple[str, str], JobSetWatch], timings: Timings) -> None:
        self.error: ArmadaError | None = None
        self.calls = 0
        self._client = client
        self._watches = watches
        self._timings = timings
        self._asked = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._slots = asyncio.Semaphore(_PARALLEL)
        self.history = History(client, timings)
        self._asking: dict[TrackedJob, _Question] = {}

    def joined(self, watch: JobSetWatch, tracked: TrackedJob) -> None:
        """Plan the first snapshot of a job: at once, unless the stream is going to tell all of it."""
        tracked.interval = self._timings.degraded_sweep
        tracked.late = not watch.covers(tracked.job)
        if not tracked.late:
            tracked.next_sweep = self._clock() + self._jittered(tracked.interval)
        else:
            tracked.next_sweep = 0.0
            self._asked.set()

    async def ask(self, watch: JobSetWatch, tracked: TrackedJob) -> bool:
        """Take a snapshot of a job at once, in one call with all that are asked for at the moment.

        :return: whether the query service has answered; whatever it said stands in the job's state then
        """
        if tracked not in self._asking:
            self._asking[tracked] = _Question(watch, asyncio.get_running_loop().create_future())
            self._asked.set()
        answered = await asyncio.shield(self._asking[tracked].answer)
        await self.history.explained(watch)
        return answered

    async def run(self) -> None:
        """Sweep until cancelled."""
        try:
            await self._run()
        finally:
            await self.history.close()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._jittered(self._timings.sweep_tick)):
                    await self._asked.wait()
                await asyncio.sleep(self._timings.snapshot_window)
            except TimeoutError:
                pass
            self._asked.clear()
            asked, self._asking = self._asking, {}
            try:
                due = self._due(asked)
                parts = [due[start : start + BATCH] for start in range(0, len(due), BATCH)]
                if parts:
                    await asyncio.gather(*(self._sweep_part(part, asked) for part in parts))
            except Exception:
                logger.exception("Taking snapshots of jobs failed; the next ones follow")
            finally:
                for question in asked.values():
                    question.settle(answered=False)

    def _due(self, asked: dict[TrackedJob, _Question]) -> list[Entry]:
        now = self._clock()
        due: list[Entry] = [(question.watch, tracked) for tracked, question in asked.items()]
        soon: list[Entry] = []
        for watch in self._watches.values():
            down = watch.stream.down_since is not None
            for tracked in watch.jobs.values():
                wait = math.inf if tracked in asked else self._wait(tracked, now, down)
                if wait <= 0:
                    due.append((watch, tracked))
                elif wait < tracked.interval / 2:
                    soon.append((watch, tracked))
        # A call costs the same for one job as for 500: fill it up with those whose time is near.
        room = -len(due) % BATCH
        return due + soon[:room]

    def _wait(self, tracked: TrackedJob, now: float, down: bool) -> float:
        """Return the seconds until a job is due for a snapshot."""
        if tracked.state.end:
            return float("inf")
        if down:
            return min(tracked.next_sweep, tracked.swept + self._timings.degraded_sweep) - now
        if tracked.heard > tracked.swept and tracked.next_sweep:
            tracked.interval = self._timings.sweep
            tracked.next_sweep = max(tracked.next_sweep, tracked.heard + tracked.interval)
        return tracked.next_sweep - now

    async def _sweep_part(self, part: Sequence[Entry], asked: dict[TrackedJob, _Question]) -> None:
        try:
            async with self._slots:
                self.calls += 1
                response = await self._client.get_job_details([tracked.job.job_id for _, tracked in part])
        except ArmadaError as error:
            self.error = error
            self._plan(part, self._timings.degraded_sweep)
            return
        self.error = None
        self._plan(part, None)
        await self._take(part, response.job_details)
        for _, tracked in part:
            if tracked in asked:
                asked[tracked].settle(answered=True)

    def _plan(self, part: Iterable[Entry], interval: float | None) -> None:
        now = self._clock()
        for _, tracked in part:
            tracked.swept = now
            # The first snapshot may lag behind a stream that has passed the end already, so the second comes soon.
            at_least = 0.0 if tracked.end_may_have_passed else self._timings.sweep
            tracked.interval = interval or min(max(tracked.interval * 2, at_least), self._timings.max_sweep)
            tracked.next_sweep = now + self._jittered(tracked.interval)

    async def _take(self, part: Sequence[Entry], details: Any) -> None:
        findings: dict[JobSetWatch, Findings] = defaultdict(lambda: Findings([], []))
        for number, (watch, tracked) in enumerate(part):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                self._take_one(watch, tracked, details.get(tracked.job.job_id), findings)
            except Exception:
                # A record that nobody foresaw must not hide those of the other jobs.
                logger.exception("The record of job %s could not be used", tracked.job.job_id)
        for watch, found in findings.items():
            if not self.history.explain(watch, found):
                self._come_back([*found.missing, *(tracked for tracked, _ in found.failed)])

    def _take_one(
        self, watch: JobSetWatch, tracked: TrackedJob, found: Any, findings: dict[JobSetWatch, Findings]
    ) -> None:
        if not job_details.known(found):
            if self._is_missing(tracked):
                findings[watch].missing.append(tracked)
            return
        news = job_details.is_news(tracked.state, found)
        if news:
            self._suspect(watch, tracked)
        tracked.unknown_since = None
        tracked.known = True
        if news and job_details.is_failure(found):
            findings[watch].failed.append((tracked, found))
        else:
            tracked.take(job_details.updated(tracked.state, found))

    def _come_back(self, jobs: Iterable[TrackedJob]) -> None:
        for tracked in jobs:
            tracked.interval = self._timings.degraded_sweep
            tracked.next_sweep = self._clock() + self._jittered(tracked.interval)

    def _suspect(self, watch: JobSetWatch, tracked: TrackedJob) -> None:
        """Doubt a stream that has let a snapshot be first: it may be half-open, or its event may be on its way."""
        told_before = tracked.known and not tracked.end_may_have_passed
        if told_before and self._clock() - watch.stream.opened_at > self._timings.degraded_sweep:
            watch.stream.suspect()

    def _is_missing(self, tracked: TrackedJob) -> bool:
        """Whether the query API has not known a job for so long that the history should be asked for it."""
        told_by_events_only = tracked.state.phase != progress.UNKNOWN and not tracked.known
        if told_by_events_only:
            return False
        now = self._clock()
        if tracked.unknown_since is None or tracked.heard > tracked.unknown_since:
            tracked.unknown_since = now
        if now - tracked.unknown_since >= self._timings.lost_grace:
            return True
        self._come_back([tracked])
        return False

    @staticmethod
    def _jittered(seconds: float) -> float:
        return seconds * random.uniform(0.8, 1.2)
