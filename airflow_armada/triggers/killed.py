"""
Whether a trigger that Airflow takes away has lost its task to the user.

Airflow cancels a trigger for several reasons and tells some of them; for the rest it is asked for the task's state.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from airflow_armada._compat import TRIGGERS_HEAR_OF_KILLS, TRIGGERS_HEAR_OF_TAKEOVERS
from airflow_armada._detached import ask_airflow, start_detached
from airflow_armada.client.patience import Kind, Patience, retry_async

_USER_ACTION = "__airflow_user_action__"  # ``_USER_ACTION_CANCEL_MSG`` of Airflow's ``triggerer_job_runner``
_DEFERRED = "deferred"
_PATIENCE = Patience(outage=300.0, first=5.0, most=15.0)
_Key: TypeAlias = tuple[str, str, bool]
_States: TypeAlias = dict[str, str | None]
_MAX_TASKS = 100  # tasks of a question: its address has a bound of 64 KiB, and the id of a task one of 250 characters


def is_taken_away(error: asyncio.CancelledError) -> bool:
    """
    Tell whether Airflow takes a trigger away from its triggerer, and does not merely stop the triggerer.

    :param error: what ended ``run()``.
    :return: true before Airflow 3.3 also when it stops, where both look the same. From Airflow 3.4 on false for a
        trigger that another triggerer has taken over.
    """
    return not TRIGGERS_HEAR_OF_KILLS or error.args[:1] == (_USER_ACTION,)


async def was_killed(task_instance: Any) -> bool:
    """
    Tell whether the task was taken away from its trigger by the user.

    From Airflow 3.4 on, nothing else looks like it. Before, Airflow also cancels a trigger that another triggerer has
    taken over, and there the task is deferred. So it is when it was cleared and its new try is deferred already; that
    new try cancels the job.

    :param task_instance: the one that Airflow gave the trigger.
    :return: whether the job should be cancelled; false when Airflow does not tell for long.
    """
    if task_instance is None:
        return False
    if TRIGGERS_HEAR_OF_TAKEOVERS:
        return True  # and the state may be that of a later pass of a loop
    states = _STATES.setdefault(asyncio.get_running_loop(), TaskStates())
    try:
        return await retry_async(lambda: states.of(task_instance), _PATIENCE, kind=_any_may_pass) != _DEFERRED
    except Exception:
        return False


def _any_may_pass(_: BaseException) -> Kind:
    return Kind.OUTAGE


class TaskStates:
    """
    What Airflow says of task instances: one question for all triggers of a DAG run that ask at about the same time.

    A triggerer's supervisor answers some twenty questions a second, one after the other, and everybody waits behind
    them. So one is under way at a time, and is always waited for. It may have been answered before a caller's task was
    killed; so whoever comes meanwhile gets the answer to the next.
    """

    def __init__(self) -> None:
        self._next: dict[_Key, tuple[set[str], asyncio.Task[_States]]] = {}
        self._turn = asyncio.Lock()

    async def of(self, task_instance: Any) -> str | None:
        """
        Ask for the state of a task instance.

        :param task_instance: which one.
        :return: its state; None where there is no such task instance any more, or it was cleared.
        """
        mapped = task_instance.map_index is not None and task_instance.map_index >= 0
        task_id = str(task_instance.task_id)
        # Mapped ones apart: ``a_1`` is Airflow's name for the second instance of ``a``, and may be another task's.
        key = (task_instance.dag_id, task_instance.run_id, mapped)
        task_ids, answer = self._next.get(key, (set(), None))
        if answer is None or (len(task_ids) >= _MAX_TASKS and task_id not in task_ids):
            task_ids = set()
            answer = start_detached(self._ask(key, task_ids))
            self._next[key] = task_ids, answer
        task_ids.add(task_id)
        states = await asyncio.shield(answer)
        return states.get(f"{task_id}_{task_instance.map_index}" if mapped else task_id)

    async def _ask(self, key: _Key, task_ids: set[str]) -> _States:
        dag_id, run_id, _ = key
        async with self._turn:
            if key in self._next and self._next[key][0] is task_ids:
                del self._next[key]
            found = await ask_airflow(_task_states, dag_id, run_id, sorted(task_ids))
        states: _States = found.get(run_id) or {}
        return states


_STATES: WeakKeyDictionary[asyncio.AbstractEventLoop, TaskStates] = WeakKeyDictionary()


def _task_states(dag_id: str, run_id: str, task_ids: list[str]) -> dict[str, Any]:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=task_ids, run_ids=[run_id])
