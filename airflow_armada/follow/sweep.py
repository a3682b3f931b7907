"""Snapshots of many jobs at once: the truth behind the events.

Joiners are collected for a moment, jobs that have been silent for long are looked after now and then, and a call takes
up to 500 of them. A snapshot changes a state only where it is ahead of the events, and it takes the history and the
query API together to call a job lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from airflow_armada.client.errors import ArmadaError, ArmadaRpcError
from airflow_armada.follow import outcome, snapshot
from airflow_armada.follow import state as states
from airflow_armada.follow.timings import Timings
from airflow_armada.follow.tracked import TrackedJob
from airflow_armada.follow.watch import JobSetWatch

logger = logging.getLogger(__name__)

BATCH = 500
"""Job ids in one call; the server refuses more (``queryapi.maxQueryItems``)."""

_PARALLEL = 4

Entry = tuple[JobSetWatch, TrackedJob]


class QueryApi(Protocol):
    """The part of ``ArmadaAsyncIOClient`` that is used here."""

    async def get_job_details(self, job_ids: Any, *, expand_job_run: bool = True) -> Any: ...

    async def get_job_errors(self, job_ids: Any) -> Any: ...


class Sweeper:
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

    def joined(self, watch: JobSetWatch, tracked: TrackedJob) -> None:
        """Plan the first snapshot of a job: at once, unless the stream is going to tell all of it."""
        tracked.interval = self._timings.degraded_sweep
        if watch.covers(tracked.job):
            tracked.next_sweep = self._clock() + self._jittered(tracked.interval)
        else:
            tracked.next_sweep = 0.0
            self._asked.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._asked.wait(), self._jittered(self._timings.sweep_tick))
                await asyncio.sleep(self._timings.snapshot_window)
            except asyncio.TimeoutError:
                pass
            self._asked.clear()
            try:
                await self.sweep(self._due())
            except Exception:
                logger.exception("A sweep of job snapshots failed; the next one follows")

    async def sweep(self, entries: Sequence[Entry]) -> None:
        """Take snapshots of jobs, and draw the consequences."""
        parts = [entries[start : start + BATCH] for start in range(0, len(entries), BATCH)]
        await asyncio.gather(*(self._sweep_part(part) for part in parts))

    def _due(self) -> list[Entry]:
        now = self._clock()
        due: list[Entry] = []
        soon: list[Entry] = []
        for watch in self._watches.values():
            down = watch.stream.down_since is not None
            for tracked in watch.jobs.values():
                wait = self._wait(tracked, now, down)
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

    async def _sweep_part(self, part: Sequence[Entry]) -> None:
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

    def _plan(self, part: Iterable[Entry], interval: float | None) -> None:
        now = self._clock()
        for _, tracked in part:
            tracked.swept = now
            tracked.interval = interval or min(max(tracked.interval * 2, self._timings.sweep), self._timings.max_sweep)
            tracked.next_sweep = now + self._jittered(tracked.interval)

    async def _take(self, part: Sequence[Entry], details: Any) -> None:
        failed: list[tuple[JobSetWatch, TrackedJob, Any]] = []
        missing: list[Entry] = []
        for watch, tracked in part:
            found = details.get(tracked.job.job_id)
            if not snapshot.known(found):
                self._is_unknown(watch, tracked, missing)
                continue
            tracked.unknown_since = None
            tracked.known = True
            if not snapshot.is_news(tracked.state, found):
                continue
            if snapshot.is_failure(found):
                failed.append((watch, tracked, found))
            else:
                _apply(tracked, found, "")
        await self._take_failures(failed)
        await self._take_missing(missing)

    def _is_unknown(self, watch: JobSetWatch, tracked: TrackedJob, missing: list[Entry]) -> None:
        now = self._clock()
        told_by_events_only = tracked.state.phase != states.UNKNOWN and not tracked.known
        if told_by_events_only:
            return
        tracked.interval = self._timings.degraded_sweep
        tracked.next_sweep = now + self._jittered(tracked.interval)
        if tracked.unknown_since is None or tracked.heard > tracked.unknown_since:
            tracked.unknown_since = now
        elif now - tracked.unknown_since >= self._timings.lost_grace:
            missing.append((watch, tracked))

    async def _take_failures(self, failed: Sequence[tuple[JobSetWatch, TrackedJob, Any]]) -> None:
        """Let the history tell a failure, which it does better; where it cannot, take the snapshot's word."""
        for watch in {id(watch): watch for watch, _, _ in failed}.values():
            own = [(tracked, details) for of, tracked, details in failed if of is watch]
            since = min(details.last_transition_ts.seconds for _, details in own) - self._timings.look_back
            await self._replay(watch, since, [tracked for tracked, _ in own])
        left = [(tracked, details) for _, tracked, details in failed if not tracked.state.end]
        if not left:
            return
        try:
            errors = (await self._client.get_job_errors([tracked.job.job_id for tracked, _ in left])).job_errors
        except ArmadaError:
            errors = {}
        for tracked, details in left:
            _apply(tracked, details, errors.get(tracked.job.job_id, ""))

    async def _take_missing(self, missing: Sequence[Entry]) -> None:
        for watch in {id(watch): watch for watch, _ in missing}.values():
            own = [tracked for of, tracked in missing if of is watch]
            since = min(tracked.job.submitted_at for tracked in own) - self._timings.look_back
            if not await self._replay(watch, since, own):
                continue
            for tracked in own:
                if tracked.known or tracked.state.phase == states.UNKNOWN:
                    tracked.end(_lost(tracked, self._timings.lost_grace))

    async def _replay(self, watch: JobSetWatch, since: float, wanted: list[TrackedJob]) -> bool:
        """Read the history for some jobs; false when it could not be read to its end."""
        try:
            await asyncio.wait_for(watch.replay(since, wanted), self._timings.replay)
        except (ArmadaRpcError, asyncio.TimeoutError) as error:
            logger.debug("Cannot read the history of job set %s: %s", watch.job_set_id, error)
            return False
        return True

    @staticmethod
    def _jittered(seconds: float) -> float:
        return seconds * random.uniform(0.8, 1.2)


def _apply(tracked: TrackedJob, details: Any, error: str) -> None:
    for kind, body in snapshot.as_events(details, error):
        tracked.fold(kind, body)
    if details.latest_run_id and not tracked.state.run_id:
        tracked.state = tracked.state._replace(run_id=details.latest_run_id)


def _lost(tracked: TrackedJob, grace: float) -> states.JobState:
    if tracked.known:
        reason = "it was pruned from Armada's records before its end was seen"
    else:
        reason = f"neither its job set's events nor Armada's records have it, for {grace:.0f} s"
    return tracked.state._replace(phase=states.ENDED, end=outcome.LOST, reason=reason)
