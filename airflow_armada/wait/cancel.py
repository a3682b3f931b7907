"""
Cancelling a job because its task ends, the same on a worker and in a triggerer.

By its exact id, and through the connection that it was submitted by. Nothing but Armada's own refusal is an answer:
an error of the network, of the credentials or of the connection may pass, and a look at the job that fails never stands
in the way. A cancel that was not answered may have been heard; a second one does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from airflow_armada.client.patience import Kind, Patience, retry, retry_async

if TYPE_CHECKING:
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
    from airflow_armada.client.job_ref import JobRef
    from airflow_armada.client.settings import SiteSettings

KILLED = "Airflow task was killed"
"""Reason given to Armada, which takes at most 50 bytes."""

OVERDUE = {"timed_out": "execution_timeout has passed", "queued_too_long": "queued_timeout has passed"}
"""Reasons given to Armada, by the status of the wait's end."""

TIMED_OUT = OVERDUE["timed_out"]

STOPPED_WAITING = "the task stopped waiting for the job"

SURPLUS = "second job of one try of the task"

ON_WORKER = Patience(outage=600.0, error=600.0, first=0.5, most=5.0)
"""A worker ends with its task; Airflow grants no more after a kill than some seconds."""

IN_TRIGGERER = Patience(outage=3600.0, error=3600.0, first=1.0, most=15.0)

_LOOK = 5.0  # s for a look at whether the job has ended already
_AT_ONCE = 20  # cancels under way in one event loop; each has a channel of its own

log = logging.getLogger("airflow.task.operators.airflow_armada")

_slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def kind_of_failure(error: BaseException) -> Kind:
    """
    Tell what a failed attempt to cancel a job means.

    :param error: how it failed.
    :return: ``FINAL`` only where Armada itself has refused.
    """
    from airflow_armada.client.errors import ArmadaRpcError, Unauthenticated

    refused = isinstance(error, ArmadaRpcError) and error.refused and not isinstance(error, Unauthenticated)
    return Kind.FINAL if refused else Kind.OUTAGE


def _told(job: JobRef) -> Callable[[Exception, float], None]:
    def told(error: Exception, pause: float) -> None:
        log.warning("Armada job %s is not cancelled yet, trying again: %s", job.job_id, error)

    return told


def _checked(job: JobRef) -> JobRef:
    if not job.job_id:
        raise ValueError("a cancel without the id of a job would cancel the whole job set")
    return job


def cancel(
    job: JobRef,
    settings: Callable[[], SiteSettings],
    reason: str,
    patience: Patience = ON_WORKER,
    sleep: Callable[[float], object] | None = None,
) -> bool:
    """
    Cancel a job; what goes wrong is logged, because something worse is about to be raised.

    :param job: the job.
    :param settings: gives the site; asked for each attempt, because what is wrong may be mended meanwhile.
    :param reason: at most 50 bytes.
    :param patience: for how long to try.
    :param sleep: waits between the attempts; see :func:`~airflow_armada.client.patience.retry`.
    :return: whether Armada has taken the cancel.
    """
    from airflow_armada.client.client import ArmadaClient

    _checked(job)

    def attempt() -> None:
        with ArmadaClient.open(settings(), retry_timeout=0) as client:
            client.cancel_jobs(job.queue, job.job_set_id, job_id=job.job_id, reason=reason)

    try:
        retry(attempt, patience, kind=kind_of_failure, told=_told(job), sleep=sleep)
    except Exception as error:
        log.error("Cannot cancel Armada job %s: %s", job.job_id, error)
        return False
    log.info("Cancelled Armada job %s: %s", job.job_id, reason)
    return True


async def cancel_async(
    job: JobRef,
    settings: Callable[[], Awaitable[SiteSettings]],
    reason: str = KILLED,
    patience: Patience = IN_TRIGGERER,
    *,
    unless_ended: bool = False,
) -> bool:
    """
    Cancel a job from an event loop.

    :param job: the job.
    :param settings: gives the site; asked for each attempt.
    :param reason: at most 50 bytes.
    :param patience: for how long to try.
    :param unless_ended: whether to look first, and send nothing if the job has ended.
    :return: false if it had ended.
    :raises Exception: what still went wrong when the patience was over.
    """
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient

    _checked(job)
    slots = _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))

    async def attempt() -> bool:
        async with slots, ArmadaAsyncIOClient.open(await settings(), retry_timeout=0) as client:
            if unless_ended and await _has_ended(client, job.job_id):
                return False
            await client.cancel_jobs(job.queue, job.job_set_id, job_id=job.job_id, reason=reason)
        return True

    return await retry_async(attempt, patience, kind=kind_of_failure, told=_told(job))


async def _has_ended(client: ArmadaAsyncIOClient, job_id: str) -> bool:
    """Look once; who may not look, or gets no answer, may still be allowed to cancel."""
    from airflow_armada.client.errors import ArmadaError
    from airflow_armada.client.typings import JobState

    try:
        states = (await asyncio.wait_for(client.get_job_status([job_id]), _LOOK)).job_states
    except (ArmadaError, TimeoutError):
        return False
    return job_id in states and JobState(states[job_id]).is_terminal()
