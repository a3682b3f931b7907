"""Airflow's own ``TriggerRunner`` in the test's event loop, and a supervisor that answers as slowly as a real one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import structlog
from airflow.executors import workloads
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, MaskSecret, TaskStatesResult
from airflow.triggers.base import BaseTrigger


def task_instance(task_id: str = "task", map_index: int = -1, run_id: str = "run") -> Any:
    """Return what Airflow tells a trigger of its task instance."""
    kind = workloads.task.TaskInstanceDTO if hasattr(workloads, "task") else workloads.TaskInstance
    return kind(
        id=uuid4(),
        dag_version_id=UUID(int=1),
        task_id=task_id,
        dag_id="dag",
        run_id=run_id,
        try_number=1,
        map_index=map_index,
        pool_slots=1,
        priority_weight=1,
        queue="default",
    )


class Supervisor:
    """Stands for the process that answers a triggerer's questions, one after the other.

    :param states: by run, the state of each task instance as Airflow names it: ``task`` or ``task_7``
    :param pause: s that an answer takes
    """

    def __init__(self, states: dict[str, dict[str, str | None]], pause: float = 0.0) -> None:
        self.states = states
        self.pause = pause
        self.asked: Counter[str] = Counter()
        self.failures = 0
        self._turn = threading.Lock()

    def send(self, message: Any) -> Any:
        """Answer a question."""
        if isinstance(message, MaskSecret):
            return None
        self.asked[type(message).__name__] += 1
        with self._turn:
            time.sleep(self.pause)
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the database is away")
            assert isinstance(message, GetTaskStates), message
            wanted = message.task_ids or ()
            found = {
                run_id: {name: state for name, state in of_run.items() if _task_of(name, wanted)}
                for run_id, of_run in self.states.items()
                if run_id in (message.run_ids or ())
            }
            return TaskStatesResult(task_states={run_id: of_run for run_id, of_run in found.items() if of_run})


def _task_of(name: str, wanted: Any) -> bool:
    return name in wanted or name.rpartition("_")[0] in wanted


@contextmanager
def supervised_by(supervisor: Supervisor) -> Iterator[Supervisor]:
    """Let the Airflow of this process ask this supervisor."""
    before = getattr(task_runner, "SUPERVISOR_COMMS", None)
    task_runner.SUPERVISOR_COMMS = supervisor  # type: ignore[assignment]
    try:
        yield supervisor
    finally:
        if before is None:
            del task_runner.SUPERVISOR_COMMS
        else:
            task_runner.SUPERVISOR_COMMS = before


class Runner:
    """Runs triggers as a triggerer does."""

    def __init__(self) -> None:
        self.airflow = TriggerRunner()  # type: ignore[no-untyped-call]

    def start(self, *triggers: BaseTrigger) -> None:
        """Start triggers, numbered from 1."""
        for number, trigger in enumerate(triggers, 1):
            self.airflow.triggers[number] = {"task": None, "is_watcher": False, "name": f"{number}", "events": 0}  # type: ignore[typeddict-item]
            self.airflow.triggers[number]["task"] = asyncio.create_task(self.airflow.run_trigger(number, trigger))

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Those of the triggers."""
        return [details["task"] for details in self.airflow.triggers.values()]

    async def cancel_all(self, *, every: float = 0.0, taken_over: bool = False) -> None:
        """Cancel all triggers as a supervisor does: again and again until they have ended.

        :param every: s between two rounds
        :param taken_over: whether another triggerer has them now, which Airflow tells from 3.4 on
        """
        queue = getattr(self.airflow, "to_release", self.airflow.to_cancel) if taken_over else self.airflow.to_cancel
        while not all(task.done() for task in self.tasks):
            queue.extend(self.airflow.triggers)
            await self.airflow.cancel_triggers()  # type: ignore[no-untyped-call]
            await asyncio.sleep(every)


class StuckLog:
    """A log whose ``ainfo`` never returns, as while hundreds of triggers write."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def ainfo(self, *args: Any, **kwargs: Any) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()
