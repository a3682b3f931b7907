"""Submitting a job from an event loop so that one comes of it, and none is left when its task gives it up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_armada._detached import run_detached, start_detached
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.patience import retry_async
from airflow_armada.exceptions import ArmadaRefused, call_error, id_of_submitted, may_have_happened
from airflow_armada.wait.cancel import ON_WORKER, STOPPED_WAITING, cancel_async
from airflow_armada.wait.patience import FOR_CALLS

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2
    from airflow_armada.client.settings import SiteSettings

Settings = Callable[[], Awaitable["SiteSettings"]]

log = logging.getLogger("airflow.task.operators.airflow_armada")


async def submit(place: JobRef, item: submit_pb2.JobSubmitRequestItem, settings: Settings) -> str:
    """
    Submit a job. A caller that is cancelled meanwhile waits until it is known what came of it, and cancels that.

    :param place: queue and job set; the id is empty.
    :param item: the request, with a client id and an external URI.
    :param settings: gives the site.
    :return: the id of the job.
    :raises ArmadaRefused: when Armada would refuse it again.
    :raises ArmadaUnavailable: when Armada does not answer.
    """
    submission = _Submission(place, item, settings)
    sending = start_detached(submission.send())
    try:
        return await asyncio.shield(sending)
    except (asyncio.CancelledError, Exception):
        await run_detached(submission.take_back(sending))
        raise


async def cancel_all(jobs: Iterable[JobRef], settings: Settings, reason: str) -> None:
    """
    Cancel jobs that may have ended; what goes wrong is logged, because something worse is about to be raised.

    :param jobs: the jobs.
    :param settings: gives the site.
    :param reason: at most 50 bytes.
    """

    async def cancel(job: JobRef) -> None:
        try:
            if await cancel_async(job, settings, reason, ON_WORKER, unless_ended=True):
                log.info("Cancelled Armada job %s: %s", job.job_id, reason)
        except Exception as error:
            log.error("Cannot cancel Armada job %s: %s", job.job_id, error)

    await asyncio.gather(*map(cancel, jobs))


async def find(place: JobRef, external_job_uri: str, settings: Settings) -> list[JobRef]:
    """
    Look for the jobs of an identity.

    :param place: queue and job set.
    :param external_job_uri: of the identity.
    :param settings: gives the site.
    :return: those that have not ended; none where the server does not answer such questions.
    """
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
    from airflow_armada.client.typings import JobState

    async def ask() -> dict[str, int]:
        async with ArmadaAsyncIOClient.open(await settings(), retry_timeout=0) as client:
            answer = await client.get_job_status_by_external_job_uri(place.queue, place.job_set_id, external_job_uri)
        return dict(answer.job_states)

    try:
        states = await retry_async(ask, FOR_CALLS)
    except ArmadaError as error:
        log.warning("Cannot look for jobs that may be left of %s: %s", external_job_uri, error)
        return []
    return [place._replace(job_id=job_id) for job_id in sorted(states) if not JobState(states[job_id]).is_terminal()]


class _Submission:
    def __init__(self, place: JobRef, item: submit_pb2.JobSubmitRequestItem, settings: Settings) -> None:
        self._place = place
        self._item = item
        self._settings = settings
        self._unwanted = asyncio.Event()
        self._in_doubt = False

    async def send(self) -> str:
        """Submit until there is an answer; the client itself looks for a job whose answer was lost."""
        what = f"submit the job to queue {self._place.queue!r}"

        def told(error: Exception, _: float) -> None:
            self._in_doubt = self._in_doubt or may_have_happened(error)
            log.warning("Could not %s, trying again: %s", what, error)

        try:
            return await retry_async(self._attempt, FOR_CALLS, told=told, sleep=self._pause)
        except ArmadaError as error:
            self._in_doubt = self._in_doubt or may_have_happened(error)
            raise call_error(error, what) from error

    async def take_back(self, sending: asyncio.Task[str]) -> None:
        """Cancel what came, or may have come, of it."""
        self._unwanted.set()
        jobs: list[JobRef] = []
        with suppress(Exception):
            jobs = [self._place._replace(job_id=await sending)]
        if self._in_doubt:
            jobs += await find(self._place, self._item.external_job_uri, self._settings)
        await cancel_all(dict.fromkeys(jobs), self._settings, STOPPED_WAITING)

    async def _attempt(self) -> str:
        from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient

        if self._unwanted.is_set():
            raise ArmadaRefused("nobody waits for the job any more")
        queue, job_set_id, _ = self._place
        async with ArmadaAsyncIOClient.open(await self._settings()) as client:
            return id_of_submitted(await client.submit_jobs(queue, job_set_id, [self._item]))

    async def _pause(self, seconds: float) -> bool:
        """Wait; true where nobody wants the job any more."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._unwanted.wait(), seconds)
        return self._unwanted.is_set()
