"""Cancelling the job of a deferred task."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.wait.job_wait import JobWait

KILLED = "Airflow task was killed"
"""Reason given to Armada, which takes at most 50 bytes."""

_CANCEL_GRACE = 3600.0  # s for which a cancel is tried again
_CANCEL_PAUSE = 5.0

log = logging.getLogger(__name__)


async def cancel_job(wait: JobWait, settings: Callable[[], Awaitable[SiteSettings]], reason: str = KILLED) -> bool:
    """
    Cancel exactly this job, however long Armada is away: nobody else would look after it.

    A trigger whose triggerer was stalled may not have noticed that another one has seen the job's end, and that the
    task has gone on since then; so it is asked for first.

    :param wait: the job.
    :param settings: gives the site; asked for each attempt, because what is wrong may be mended meanwhile.
    :param reason: at most 50 bytes.
    :return: whether there was anything to cancel.
    :raises ArmadaRpcError: when Armada refuses, or has not answered for long.
    """
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
    from airflow_armada.client.channel import open_aio_channel
    from airflow_armada.client.errors import ArmadaError, Unauthenticated

    give_up = time.monotonic() + _CANCEL_GRACE
    while True:
        try:
            async with open_aio_channel(await settings()) as channel:
                client = ArmadaAsyncIOClient(channel)
                if await _has_ended(client, wait.job_id):
                    return False
                await client.cancel_jobs(wait.job.queue, wait.job.job_set_id, job_id=wait.job_id, reason=reason)
            return True
        except ArmadaError as error:
            hopeless = not error.transient and not isinstance(error, Unauthenticated)
            if hopeless or time.monotonic() >= give_up:
                raise
            log.warning("Armada job %s is not cancelled yet, trying again: %s", wait.job_id, error)
        await asyncio.sleep(_CANCEL_PAUSE)


async def _has_ended(client: ArmadaAsyncIOClient, job_id: str) -> bool:
    from airflow_armada.client.errors import PermissionDenied
    from airflow_armada.client.typings import JobState

    try:
        states = (await client.get_job_status([job_id])).job_states
    except PermissionDenied:
        return False  # whoever may not look may still be allowed to cancel
    return job_id in states and JobState(states[job_id]).is_terminal()
