"""Asking the event history about jobs of which a snapshot says that they failed, or does not know them at all."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, NamedTuple, Protocol

from airflow_armada.client.errors import ArmadaError
from airflow_armada.follow import background
from airflow_armada.follow.state import job_details, outcome, progress
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.tracked_job import TrackedJob
from airflow_armada.follow.timings import Timings

logger = logging.getLogger(__name__)

_FIRST_HOUR = 3600.0
"""Seconds after its submission in which the first event of a job must have been stored."""


class QueryApi(Protocol):
    """The part of ``ArmadaAsyncIOClient`` that snapshots need."""

    async def get_job_details(self, job_ids: Any) -> Any: ...

    async def get_job_errors(self, job_ids: Any) -> Any: ...


class Findings(NamedTuple):
    """What a sweep found out about jobs of one job set that is worth an inquiry.

    :param failed: jobs that failed, with their ``api.JobDetails``
    :param missing: jobs that the query API does not know
    """

    failed: list[tuple[TrackedJob, Any]]
    missing: list[TrackedJob]


class HistoryChecks:
    """Runs inquiries beside the sweeps, one at a time for a job set, so that a slow one holds up nobody else.

    :param client: the query API
    :param timings: waiting times
    """

    def __init__(self, client: QueryApi, timings: Timings) -> None:
        self._client = client
        self._timings = timings
        self._running: dict[JobSetWatch, asyncio.Task[None]] = {}

    def begin(self, watch: JobSetWatch, findings: Findings) -> bool:
        """Inquire, unless that is being done for the job set already.

        :return: whether it was begun; if not, a later sweep has to come back to it
        """
        if watch in self._running:
            return False
        task = self._running[watch] = background.spawn(self._check(watch, findings), "armada inquiry")
        task.add_done_callback(lambda _: self._running.pop(watch, None))
        return True

    async def close(self) -> None:
        """End all of them."""
        await background.end(*self._running.values())

    async def _check(self, watch: JobSetWatch, findings: Findings) -> None:
        try:
            if findings.failed:
                await self._explain_failures(watch, findings.failed)
            if findings.missing:
                await self._look_for(watch, findings.missing)
        except Exception:
            logger.exception("An inquiry about job set %s failed; the next sweep repeats it", watch.job_set_id)

    async def _explain_failures(self, watch: JobSetWatch, failed: list[tuple[TrackedJob, Any]]) -> None:
        """Let the history tell a failure, which it does better; where it cannot, take the snapshot's word."""
        since = min(details.last_transition_ts.seconds for _, details in failed) - self._timings.look_back
        await self._replay(watch, [tracked for tracked, _ in failed], since)
        left = [(tracked, details) for tracked, details in failed if not tracked.state.end]
        if not left:
            return
        try:
            errors = (await self._client.get_job_errors([tracked.job.job_id for tracked, _ in left])).job_errors
        except ArmadaError:
            errors = {}
        for tracked, details in left:
            apply_snapshot(tracked, details, errors.get(tracked.job.job_id, ""))

    async def _look_for(self, watch: JobSetWatch, missing: list[TrackedJob]) -> None:
        """Call jobs lost of which the history holds no trace either. A history that cannot be read decides nothing."""
        submitted = [tracked.job.submitted_at for tracked in missing]
        until = math.inf if any(tracked.known for tracked in missing) else max(submitted) + _FIRST_HOUR
        seen = await self._replay(watch, missing, min(submitted) - self._timings.look_back, until)
        if seen is None:
            return
        for tracked in missing:
            if tracked.job.job_id not in seen and tracked.unknown_since is not None:
                tracked.end(_lost(tracked, self._timings.lost_grace))

    async def _replay(
        self, watch: JobSetWatch, wanted: list[TrackedJob], since: float, until: float = math.inf
    ) -> set[str] | None:
        try:
            return await asyncio.wait_for(watch.replay(wanted, since, until), self._timings.replay)
        except (TimeoutError, ArmadaError) as error:
            logger.debug("Cannot read the history of job set %s: %s", watch.job_set_id, error)
            return None


def apply_snapshot(tracked: TrackedJob, details: Any, error: str = "") -> None:
    """Bring a job to where a snapshot says that it is.

    :param details: its ``api.JobDetails``
    :param error: the text of GetJobErrors, for one that failed
    """
    for kind, body in job_details.as_events(details, error):
        tracked.fold(kind, body)
    tracked.wake()
    if details.latest_run_id and not tracked.state.run_id:
        tracked.state = tracked.state._replace(run_id=details.latest_run_id)


def _lost(tracked: TrackedJob, grace: float) -> progress.JobProgress:
    if tracked.known:
        reason = "it was pruned from Armada's records before its end was seen"
    else:
        reason = f"neither its job set's events nor Armada's records have it, for {grace:.0f} s"
    return tracked.state._replace(phase=progress.ENDED, end=outcome.LOST, reason=reason)
