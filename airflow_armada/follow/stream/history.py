"""Asking the stored history of a job set, on a call of its own, for what neither its stream nor snapshots tell.

That is how a job failed, whether a job that the query service does not know has ever been, and where a job stands whose
submission the stream had passed when somebody began to follow it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

import grpc

from airflow_armada.client.errors import ArmadaError, InvalidRequest, from_grpc
from airflow_armada.follow import background
from airflow_armada.follow.state import job_details, outcome, progress
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import JobProgress
from airflow_armada.follow.stream.event_stream import METHOD
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.slim_events import id_at, open_events, time_of
from airflow_armada.follow.stream.tracked_job import TrackedJob
from airflow_armada.follow.timings import Timings

logger = logging.getLogger(__name__)

_FIRST_HOUR = 3600.0
"""Seconds after its submission in which the first event of a job must have been stored."""

_ENDS = frozenset({"failed", "succeeded", "cancelled", "preempted"})

Jobs = dict[str, TrackedJob]
Told = dict[str, JobProgress]
"""What a history tells of jobs, by their id."""


class QueryApi(Protocol):
    """The part of ``ArmadaAsyncIOClient`` that snapshots need."""

    async def get_job_details(self, job_ids: Any) -> Any: ...

    async def get_job_errors(self, job_ids: Any) -> Any: ...


class Findings(NamedTuple):
    """What snapshots show of jobs of one job set that the history must explain.

    :param failed: jobs that failed, with their ``api.JobDetails``
    :param missing: jobs that the query API does not know
    """

    failed: list[tuple[TrackedJob, Any]]
    missing: list[TrackedJob]


class History:
    """Reads histories beside everything else, so that a slow one holds up nobody.

    :param client: the query API
    :param timings: waiting times
    """

    def __init__(self, client: QueryApi, timings: Timings) -> None:
        self._client = client
        self._timings = timings
        self._explaining: dict[JobSetWatch, asyncio.Task[None]] = {}
        self._wanted: dict[JobSetWatch, list[TrackedJob]] = {}
        self._reading: dict[JobSetWatch, asyncio.Task[bool]] = {}

    def explain(self, watch: JobSetWatch, findings: Findings) -> bool:
        """Begin to explain findings, unless that is being done for the job set already.

        :return: whether it was begun; if not, a later snapshot has to come back to it
        """
        if watch in self._explaining:
            return False
        task = self._explaining[watch] = background.spawn(self._explain(watch, findings), "armada history")
        task.add_done_callback(lambda _: self._explaining.pop(watch, None))
        return True

    async def explained(self, watch: JobSetWatch) -> None:
        """Wait until findings of a job set that are being explained have been."""
        if watch in self._explaining:
            await asyncio.wait({self._explaining[watch]})

    async def read_whole(self, watch: JobSetWatch, tracked: TrackedJob) -> bool:
        """Bring a job to where the history says that it is, reading once for all who wish it at the moment.

        :return: whether the history could be read to its end, and had any of the job
        """
        self._wanted.setdefault(watch, []).append(tracked)
        if watch not in self._reading:
            self._reading[watch] = background.spawn(self._read_wanted(watch), "armada history")
        return await asyncio.shield(self._reading[watch]) and tracked.state.phase != progress.UNKNOWN

    async def close(self) -> None:
        """End all that is being read."""
        await background.end(*self._explaining.values(), *self._reading.values())

    async def _read_wanted(self, watch: JobSetWatch) -> bool:
        try:
            await asyncio.sleep(self._timings.snapshot_window)
        finally:
            del self._reading[watch]
            asked = self._wanted.pop(watch)
        since = min(tracked.job.submitted_at for tracked in asked)
        # Who is read on the way needs no reading later.
        others = (tracked for tracked in watch.jobs.values() if tracked.late and tracked.job.submitted_at >= since)
        jobs = {tracked.job.job_id: tracked for tracked in (*asked, *others)}
        told = await self._read_all(watch, jobs, since)
        if told is None:
            return False
        for job_id, tracked in jobs.items():
            if job_id in told:
                tracked.late = False
                tracked.take(_newer(tracked.state, told[job_id]))
        return True

    async def _explain(self, watch: JobSetWatch, findings: Findings) -> None:
        try:
            if findings.failed:
                await self._explain_failures(watch, findings.failed)
            if findings.missing:
                await self._look_for(watch, findings.missing)
        except Exception:
            logger.exception("Asking the history of job set %s failed; it is asked again", watch.job_set_id)

    async def _explain_failures(self, watch: JobSetWatch, failed: list[tuple[TrackedJob, Any]]) -> None:
        """Let the history tell a failure, which it does better; where it cannot, take the snapshot's word."""
        since = min(details.last_transition_ts.seconds for _, details in failed) - self._timings.look_back
        await self._read_ends(watch, {tracked.job.job_id: tracked for tracked, _ in failed}, since)
        left = [(tracked, details) for tracked, details in failed if not tracked.state.end]
        if not left:
            return
        try:
            errors = (await self._client.get_job_errors([tracked.job.job_id for tracked, _ in left])).job_errors
        except ArmadaError:
            errors = {}
        for tracked, details in left:
            tracked.take(job_details.updated(tracked.state, details, errors.get(tracked.job.job_id, "")))

    async def _look_for(self, watch: JobSetWatch, missing: list[TrackedJob]) -> None:
        """Call jobs lost of which the history holds no trace either. A history that cannot be read decides nothing."""
        submitted = [tracked.job.submitted_at for tracked in missing]
        until = math.inf if any(tracked.known for tracked in missing) else max(submitted) + _FIRST_HOUR
        jobs = {tracked.job.job_id: tracked for tracked in missing}
        told = await self._read_all(watch, jobs, min(submitted), until)
        if told is None:
            return
        for job_id, tracked in jobs.items():
            if job_id in told:
                tracked.take(_newer(tracked.state, told[job_id]))
            elif tracked.unknown_since is not None and not tracked.state.end:
                tracked.take(_lost(tracked, self._timings.lost_grace))

    async def _read_all(self, watch: JobSetWatch, jobs: Jobs, submitted: float, until: float = math.inf) -> Told | None:
        """Fold all that is stored of jobs since their submission; None when it cannot be read so far."""
        told: Told = {}

        def take(tracked: TrackedJob, kind: str, event: Any) -> bool:
            told[event.job_id] = fold(told.get(event.job_id, progress.NEW), kind, event)
            return False

        whole = await self._read(watch, jobs, take, submitted - self._timings.look_back, until)
        return told if whole else None

    async def _read_ends(self, watch: JobSetWatch, jobs: Jobs, since: float) -> None:
        """Complete the states of jobs with their ends, where the history begins after the jobs did."""

        def take(tracked: TrackedJob, kind: str, event: Any) -> bool:
            if kind in _ENDS and tracked.fold(kind, event):
                tracked.wake()
            return all(other.state.end for other in jobs.values())

        await self._read(watch, jobs, take, since)

    async def _read(
        self,
        watch: JobSetWatch,
        jobs: Jobs,
        take: Callable[[TrackedJob, str, Any], bool],
        since: float,
        until: float = math.inf,
    ) -> bool:
        """Read until there is no more, or an event is taken as the last one; false when that is not possible."""
        try:
            async with asyncio.timeout(self._timings.replay), aclosing(stored_events(watch, since, until)) as events:
                async for kind, event in events:
                    if event.job_id in jobs and take(jobs[event.job_id], kind, event):
                        break
        except (ArmadaError, TimeoutError) as error:
            logger.debug("Cannot read the history of job set %s: %s", watch.job_set_id, error)
            return False
        return True


async def stored_events(watch: JobSetWatch, since: float, until: float = math.inf) -> AsyncGenerator[tuple[str, Any]]:
    """Read the stored history of a job set once.

    :param since: where to begin, in seconds since the epoch
    :param until: where to stop
    :return: the events as (kind, body)
    :raises ArmadaRpcError: when the history cannot be read so far
    """
    # A server that does not take such an id takes "", the beginning of the history.
    for from_id in (id_at(since), ""):
        call = open_events(watch.channel, watch.queue, watch.job_set_id, from_id=from_id, watch=False)
        try:
            async for message in call:
                if time_of(message.id) > until:
                    return
                kind = message.message.WhichOneof("events")
                if kind is not None:
                    yield kind, getattr(message.message, kind)
            return
        except grpc.RpcError as error:
            refused = from_grpc(error, METHOD)
            if not (from_id and isinstance(refused, InvalidRequest)):
                raise refused from None
        finally:
            call.cancel()


def _newer(known: JobProgress, told: JobProgress) -> JobProgress:
    """Return what a whole history tells of a job where that is later, or more, than what is known."""
    only_its_end = known.end and known.end == told.end and told.cluster and not known.cluster
    if not only_its_end and (known.end or not (told.end or told.at > known.at)):
        return known
    return told._replace(notes=known.notes)  # what it notes is old news


def _lost(tracked: TrackedJob, grace: float) -> JobProgress:
    if tracked.known:
        reason = "it was pruned from Armada's records before its end was seen"
    else:
        reason = f"neither its job set's events nor Armada's records have it, for {grace:.0f} s"
    return tracked.state._replace(phase=progress.ENDED, end=outcome.LOST, reason=reason)
