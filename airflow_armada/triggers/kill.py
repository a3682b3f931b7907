"""Whether a cancelled trigger means that the user killed its task, and cancelling the job if so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_armada._detached import ask_airflow

if TYPE_CHECKING:
    from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.wait.job_wait import JobWait

KILLED = "Airflow task was killed"
"""Reason given to Armada, which takes at most 50 bytes."""

_STATE_TIMEOUT = 30.0  # s; the first question in a triggerer's life takes up to 13 s
_STATE_GRACE = 300.0  # s for which Airflow is asked again if it does not answer
_STATE_PAUSE = 5.0
_CANCEL_GRACE = 3600.0  # s for which a cancel is tried again
_CANCEL_PAUSE = 5.0
_DEFERRED = "deferred"

log = logging.getLogger(__name__)


async def task_state(task_instance: Any) -> str | None:
    """
    Ask Airflow for the state of a task instance.

    :param task_instance: the one that Airflow gave the trigger.
    :return: the state, or None if it cannot be known.
    """
    if task_instance is None:
        return None
    try:
        states = await asyncio.wait_for(ask_airflow(_task_states, task_instance), _STATE_TIMEOUT)
    except Exception:
        return None
    of_run = states.get(task_instance.run_id) or {}
    state = of_run.get(_state_key(task_instance)) or of_run.get(task_instance.task_id)
    return str(state) if state else None


def _task_states(task_instance: Any) -> dict[str, Any]:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = task_instance.map_index is not None and task_instance.map_index >= 0
    return RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index if mapped else None,
    )


def _state_key(task_instance: Any) -> str:
    mapped = task_instance.map_index is not None and task_instance.map_index >= 0
    return f"{task_instance.task_id}_{task_instance.map_index}" if mapped else str(task_instance.task_id)


async def was_killed(task_instance: Any) -> bool:
    """
    Tell whether the task was taken away from its trigger by the user.

    Airflow also cancels a trigger that another triggerer has taken over, and one whose task was cleared and is deferred
    again. In both cases the task is deferred, and the job is not ours to cancel: it is healthy, or the new try does
    it. Nor is it when the state cannot be read.

    :param task_instance: the one that Airflow gave the trigger.
    :return: whether the job should be cancelled.
    """
    give_up = time.monotonic() + _STATE_GRACE
    state = await task_state(task_instance)
    while state is None and task_instance is not None and time.monotonic() < give_up:
        await asyncio.sleep(_STATE_PAUSE)
        state = await task_state(task_instance)
    return state is not None and state != _DEFERRED


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
                await client.cancel_jobs(wait.queue, wait.job_set_id, job_id=wait.job_id, reason=reason)
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
