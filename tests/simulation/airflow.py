"""
A simulated Airflow, as far as the life of a task goes.

It does what the end-to-end tests say of the real one: workers that start late, die and get SIGTERM; deferral and
triggers that are restarted, moved and cancelled; kills, clears, retries and timeouts. Where it differs from the real
one, the real one is right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.triggers.base import TaskSuccessEvent

from airflow_armada._compat import AirflowFailException, AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.simulation import blocking

if TYPE_CHECKING:
    from tests.simulation.world import World

Step: TypeAlias = Callable[[ArmadaOperator, Any], Any]

HEARTBEAT_TIMEOUT = 300.0
USER_ACTION = "__airflow_user_action__"
FINAL = ("success", "failed", "skipped")


@dataclass
class TaskInstance:
    """What the operator sees of its task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    start_date: datetime
    xcoms: dict[str, Any] = field(default_factory=dict)
    state: str = "scheduled"

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, key: str, **_: Any) -> Any:
        return self.xcoms.get(key)


class Store:
    """``task_state_store``, which survives retries and clears."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        blocking.sleep(0.01)
        self._check()
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        blocking.sleep(0.01)
        self._check()
        self._values[key] = value

    def _check(self) -> None:
        if self._world.weather.has("state store down"):
            raise RuntimeError("503 Service Unavailable")


class _Log:
    """Where a trigger writes to its task's log."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    async def _write(self, text: str, *arguments: Any) -> None:
        await asyncio.sleep(0.001)
        self._tell(text % arguments)

    ainfo = awarning = aerror = _write


class _Trigger(ArmadaJobTrigger):
    """The trigger, with the log that a triggerer gives it."""

    def __init__(self, tell: Callable[[str], None], kwargs: dict[str, Any]) -> None:
        self._task_log = _Log(tell)
        super().__init__(**kwargs)

    @property
    def log(self) -> Any:
        return self._task_log


def _execute(operator: ArmadaOperator, context: Any) -> Any:
    return operator.execute(context)


def _resume(event: Any, operator: ArmadaOperator, context: Any) -> Any:
    return operator.execute_complete(context, event)


class _Gone(Exception):
    """The worker's process has died without a word."""


class SimulatedTask:
    """
    One task of a DAG run, from its first try to its last.

    :param world: where it lives.
    :param options: arguments of the operator.
    :param map_index: which of the mapped tasks it is.
    :param has_store: whether this Airflow has a state store (3.3).
    """

    def __init__(self, world: World, options: dict[str, Any], map_index: int, has_store: bool) -> None:
        self.world = world
        self.options = options
        self.retries = int(options.get("retries", 0))
        self.ti = TaskInstance("dag", "run", "work", map_index, 1, self.retries, _datetime())
        self.name = f"work[{map_index}]"
        self.store = Store(world) if has_store else None
        self.end: BaseException | None = None
        self.ended_at = float("inf")
        self.killed_by_user = False
        self.excused = ""
        self.dead_in_try = 0
        self.cleared = 0
        self._process: blocking.Process | None = None
        self._thread: blocking.Thread[Any] | None = None
        self._operator: ArmadaOperator | None = None
        self._trigger: asyncio.Task[Any] | None = None
        self._others: list[asyncio.Task[Any]] = []
        self._interrupted: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def tell(self, what: str) -> None:
        self.world.tell(self.name, what)

    async def live(self) -> None:
        """Run the task until it is in a final state and nobody clears it any more."""
        while True:
            await self._try()
            if self.ti.state == "restarting":
                self.ti.max_tries = self.ti.try_number + self.retries
            elif self.ti.state == "up_for_retry":
                await asyncio.sleep(self.world.chance.uniform(1, 30))
            else:
                self.ended_at = time.time()
                return
            self.ti.try_number += 1
            self.ti.xcoms.clear()

    async def _try(self) -> None:
        ti = self.ti
        self._interrupted = asyncio.get_running_loop().create_future()
        ti.start_date, ti.state = _datetime(), "running"
        self.tell(f"try {ti.try_number} of {ti.max_tries + 1} begins")
        step: Step = _execute
        while True:
            try:
                value = await self._segment(step)
            except TaskDeferred as deferral:
                event = await self._defer(deferral.trigger)
                if event is None:
                    return
                step = partial(_resume, event)
                await asyncio.sleep(self.world.chance.uniform(0.5, 15))
                ti.state = "running"
                continue
            except BaseException as error:
                self._failed(error)
                return
            self._ends("success", None)
            self.tell(f"returns {str(value)[:60]}")
            return

    def _failed(self, error: BaseException) -> None:
        if self.ti.state not in ("running", "deferred"):
            return  # the user has decided already
        if isinstance(error, AirflowSkipException):
            self._ends("skipped", error)
        elif isinstance(error, AirflowFailException) or self.ti.try_number > self.ti.max_tries:
            self._ends("failed", error)
        else:
            self._ends("up_for_retry", error)

    def _ends(self, state: str, error: BaseException | None) -> None:
        self.ti.state, self.end = state, error
        self.tell(f"{state}: {type(error).__name__ if error else ''} {str(error)[:110] if error else ''}")

    async def _segment(self, step: Step) -> Any:
        """Run one process of a worker to its end, whatever ends it."""
        operator = ArmadaOperator(task_id="work", armada_queue="q", image="busybox", **self.options)
        context = {"ti": self.ti, "run_id": self.ti.run_id, "logical_date": None, "task_reschedule_count": 0}
        if self.store is not None:
            context["task_state_store"] = self.store
        self._operator, self._process = operator, blocking.Process()
        await asyncio.sleep(self.world.chance.uniform(0.5, 5))
        if self._interrupted.done():
            raise _Gone(self._interrupted.result())
        self._thread = blocking.Thread(lambda: step(operator, context), self._process)
        alarm = None
        if limit := self.options.get("execution_timeout"):
            thread = self._thread
            alarm = asyncio.get_running_loop().call_later(
                limit.total_seconds(), lambda: thread.alarm(AirflowTaskTimeout("Timeout"))
            )
        try:
            await asyncio.wait({self._thread.task, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if self._thread.task.done():
                return self._thread.task.result()
            await self._wait_for_death(self._interrupted.result())
            raise _Gone(self._interrupted.result())
        finally:
            if alarm is not None:
                alarm.cancel()
            self._process.kill()  # its daemon threads end with it
            self._operator = self._thread = None

    async def _wait_for_death(self, how: str) -> None:
        """SIGTERM lets the process go on for five seconds; SIGKILL does not."""
        assert self._process is not None
        assert self._thread is not None
        if how == "SIGTERM":
            operator = self._operator
            assert operator is not None
            blocking.Thread(operator.on_kill, self._process)
            await asyncio.wait({self._thread.task}, timeout=5.0)
            if self.world.weather.is_bad:
                self.excused = "Airflow grants a killed worker five seconds, and Armada could not be told"
        self._process.kill()
        if how == "SIGKILL":
            self.dead_in_try = self.ti.try_number
            self.tell("the worker is dead")
            await asyncio.sleep(HEARTBEAT_TIMEOUT)

    async def _defer(self, trigger: Any) -> Any:
        """Run the trigger, and give its event; None where the user has ended the deferral."""
        self.ti.state, self._trigger = "deferred", None
        classpath, kwargs = trigger.serialize()
        assert classpath.endswith("ArmadaJobTrigger")
        self.tell(f"deferred: job {kwargs['job_id']}")
        await asyncio.sleep(self.world.chance.uniform(0.1, 2))
        fired: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._start_trigger(kwargs, fired)
        await asyncio.wait({fired, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if self._interrupted.done():
            return None
        event = fired.result()
        if isinstance(event, TaskSuccessEvent):
            self._ends("success", None)
            return None
        return event.payload

    def _start_trigger(self, kwargs: dict[str, Any], fired: asyncio.Future[Any]) -> None:
        trigger = _Trigger(self.tell, kwargs)
        trigger.task_instance = self.ti  # type: ignore[assignment]
        self._kwargs, self._fired = kwargs, fired

        async def run() -> None:
            async for event in trigger.run():
                if not fired.done() and self.ti.state == "deferred":
                    fired.set_result(event)

        self._trigger = asyncio.create_task(run())
        self._trigger.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._others.append(self._trigger)

    # What happens to a task from outside

    def kill(self) -> None:
        """The user marks the task as failed."""
        if self.ti.state not in ("running", "deferred"):
            return
        self.killed_by_user = True
        self._take_away("failed", "marked as failed by the user")

    def clear(self) -> None:
        """The user clears the task."""
        if self.ti.state not in ("running", "deferred"):
            return
        self.cleared += 1
        self._take_away("restarting", "cleared by the user")

    def _take_away(self, state: str, what: str) -> None:
        self.tell(what)
        was, self.ti.state = self.ti.state, state
        if was == "deferred" and self._trigger is not None and not self._trigger.done():
            self._trigger.cancel(USER_ACTION)
        elif was == "deferred":
            self.excused = "Airflow tells nobody of a kill while the trigger does not run"
        if not self._interrupted.done():
            self._interrupted.set_result("SIGTERM")

    def kill_worker(self) -> None:
        """The worker's process dies."""
        if self.ti.state == "running" and self._thread is not None and not self._interrupted.done():
            self._interrupted.set_result("SIGKILL")

    async def restart_triggerer(self, pause: float) -> None:
        """The triggerer ends; another one starts its triggers again."""
        if self.ti.state != "deferred" or self._trigger is None:
            return
        self.tell(f"the triggerer restarts, {pause:.0f} s")
        self._trigger.cancel()
        kwargs, fired = self._kwargs, self._fired
        await asyncio.sleep(pause)
        if self.ti.state == "deferred" and not fired.done():
            self._start_trigger(kwargs, fired)

    async def take_over(self, pause: float) -> None:
        """Another triggerer takes the trigger over; the first one notices that later."""
        if self.ti.state != "deferred" or self._trigger is None or self._fired.done():
            return
        self.tell("another triggerer takes over")
        old = self._trigger
        self._start_trigger(self._kwargs, self._fired)
        await asyncio.sleep(pause)
        old.cancel(USER_ACTION)

    async def finish(self) -> None:
        """Wait until nothing of the task runs any more."""
        if self._trigger is not None and not self._trigger.done():
            self._trigger.cancel()
        await asyncio.gather(*self._others, return_exceptions=True)


def _datetime() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
