"""
A simulated Airflow, as far as the life of a task goes.

It does what the end-to-end tests say of the real one: workers that start late, die and get SIGTERM; deferral and
triggers that are restarted, moved and cancelled; kills, clears, retries and timeouts. Where it differs from the real
one, the real one is right.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.triggers.base import TaskSuccessEvent

from airflow_armada._compat import AirflowFailException, AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow_armada.exceptions import ArmadaJobError, ArmadaJobQueuedTooLong, ArmadaJobTimedOut
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.tries.identity import LABEL_PREFIX
from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.simulation import blocking
from tests.simulation.operators import make_operator
from tests.simulation.printing import concluded
from tests.simulation.task_logs import WRITER, TaskLogs

if TYPE_CHECKING:
    from tests.simulation.world import World

CONN_ID = "armada_default"

TASK: ContextVar[SimulatedTask] = ContextVar("TASK")
"""The task whose worker runs."""

Step: TypeAlias = Callable[[ArmadaOperator, Any], Any]

HEARTBEAT = 5.0  # s; ``[workers] min_heartbeat_interval``
HEARTBEAT_TIMEOUT = 300.0
DEFERRAL_TIMED_OUT = object()
FINAL = ("success", "failed", "skipped", "removed")


@dataclass
class TaskInstance:
    """What the operator sees of its task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    region_index: int
    max_tries: int
    start_date: datetime
    world: World
    region_id: str = "pass"
    try_number: int = 1
    task: ArmadaOperator | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    state: str = "scheduled"

    def xcom_push(self, key: str, value: Any) -> None:
        if self.world.weather.has("xcom refused"):
            raise RuntimeError("the API server answered 503 Service Unavailable")
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


class Died(Exception):
    """The worker's process has died without a word."""


class SimulatedTask:
    """
    One task of a DAG run, from its first try to its last.

    :param world: where it lives.
    :param options: arguments of the operator.
    :param index: which of the mapped tasks, or of the passes of a loop, it is.
    :param has_store: whether this Airflow has a state store (3.3).
    :param put_off: how often a failed try is put off instead.
    :param in_loop: whether it is a pass of a loop.
    :ivar dies_at: the point at which the worker of its first try dies; see :meth:`reach`.
    :ivar heartbeat_timeout: s after which Airflow takes a worker for dead.
    :ivar deferral_timed_out: whether Airflow has ended a deferral.
    :ivar then: arguments of the operator from the second try on.
    :ivar returned: what it has returned.
    :ivar began: when its tries began.
    :ivar taken: when the user has taken it away.
    :ivar paused: s for which no triggerer was there.
    :ivar early: how often its trigger has fired before Airflow knew of the end of its worker.
    :ivar errors: what its tries have failed with.
    :ivar put_off_after_ends: how often it was put off because its job had failed.
    """

    def __init__(
        self,
        world: World,
        options: dict[str, Any],
        index: int,
        has_store: bool,
        put_off: int = 0,
        *,
        in_loop: bool = False,
    ) -> None:
        self.world = world
        self.conn_id = CONN_ID
        self.reschedules = 0
        self.put_off_after_ends = 0
        self.dies_at = ""
        self.heartbeat_timeout = HEARTBEAT_TIMEOUT
        self.deferral_timed_out = False
        self.then: dict[str, Any] = {}
        self.returned: Any = None
        self.errors: list[BaseException] = []
        self._put_off = put_off
        self.options = options
        self.retries = int(options.get("retries", 0))
        self.in_loop = in_loop
        self.ti = TaskInstance("dag", "run", "work", -1 if in_loop else index, index, self.retries, _datetime(), world)
        self.name = f"work[{index}]"
        self.store = Store(world) if has_store else None
        self.end: BaseException | None = None
        self.ended_at = float("inf")
        self.began: list[float] = []
        self.taken: list[float] = []
        self.paused = 0.0
        self.early = 0
        self.marked = False
        self.excused = ""
        self.dead_in_try = 0
        self._process: blocking.Process | None = None
        self._thread: blocking.Thread[Any] | None = None
        self._operator: ArmadaOperator | None = None
        self.logs = TaskLogs(world.pipe)
        self.concluded: dict[int, str] = {}
        self._triggerer = 1
        self._trigger: asyncio.Task[Any] | None = None
        self._stalled: asyncio.Future[None] | None = None
        self._cancelled_late: list[asyncio.Task[Any]] = []
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
            elif self.ti.state == "up_for_reschedule":
                await asyncio.sleep(self.world.chance.uniform(1, 30))
                continue
            elif self.ti.state == "up_for_retry":
                await asyncio.sleep(self.world.chance.uniform(1, 30))
            else:
                self.ended_at = time.time()
                return
            self.ti.try_number += 1
            self.ti.start_date = _datetime()
            self.ti.xcoms.clear()

    async def _try(self) -> None:
        ti = self.ti
        self._interrupted = asyncio.get_running_loop().create_future()
        ti.state = "running"
        self.concluded.pop(ti.try_number, None)  # its log is begun anew if the try was put off
        self.began.append(ti.start_date.timestamp())
        self.tell(f"try {ti.try_number} of {ti.max_tries + 1} begins")
        step: Step = _execute
        while True:
            try:
                value = await self._segment(step)
            except TaskDeferred as deferral:
                event = await self._defer(deferral.trigger)
                if event is None:
                    return
                step = partial(self._resume, event)
                await asyncio.sleep(self.world.chance.uniform(0.5, 15))
                if self._interrupted.done():
                    return
                ti.state = "running"
                continue
            except BaseException as error:
                self._failed(error)
                return
            if self.ti.state != "running":
                return  # the user has decided already
            self.concluded[ti.try_number] = concluded(ti.xcoms)
            self.returned = value
            self._ends("success", None)
            self.tell(f"returns {str(value)[:60]}")
            return

    def _failed(self, error: BaseException) -> None:
        if self.ti.state not in ("running", "deferred"):
            return  # the user has decided already
        if isinstance(error, ArmadaJobError) and not isinstance(error, ArmadaJobTimedOut | ArmadaJobQueuedTooLong):
            self.concluded[self.ti.try_number] = concluded(self.ti.xcoms)
        if isinstance(error, AirflowSkipException):
            self._ends("skipped", error)
        elif self.reschedules < self._put_off and isinstance(error, ArmadaJobError):
            self.reschedules += 1
            self.put_off_after_ends += not isinstance(error, ArmadaJobTimedOut | ArmadaJobQueuedTooLong)
            self._ends("up_for_reschedule", error)
        elif isinstance(error, AirflowFailException) or self._is_last(error):
            self._ends("failed", error)
        else:
            self._ends("up_for_retry", error)

    def _is_last(self, error: BaseException) -> bool:
        """Tell whether there is no other try: all are used up, or the task's retry policy allows none."""
        policy = getattr(self.ti.task, "retry_policy", None)
        if self.ti.try_number > self.ti.max_tries or policy is None or isinstance(error, Died):
            return self.ti.try_number > self.ti.max_tries
        return policy.evaluate(error, self.ti.try_number, self.ti.max_tries).action is RetryAction.FAIL

    def owns(self, job: Any) -> bool:
        """Tell whether a job is one of this task."""
        notes = job.spec.annotations
        here = f"{self.ti.region_id}.{self.ti.region_index}" if self.in_loop else ""
        return bool(
            notes[f"{LABEL_PREFIX}map-index"] == str(self.ti.map_index) and notes.get(f"{LABEL_PREFIX}loop", "") == here
        )

    def _ends(self, state: str, error: BaseException | None) -> None:
        self.ti.state, self.end = state, error
        if error is not None:
            self.errors.append(error)
        self.tell(f"{state}: {type(error).__name__ if error else ''} {str(error)[:110] if error else ''}")

    async def _segment(self, step: Step) -> Any:
        """Run one process of a worker to its end, whatever ends it."""
        options = self.options | (self.then if self.ti.try_number > 1 else {})
        operator = self.ti.task = make_operator(options, self.conn_id, self.ti.try_number)
        context: dict[str, Any] = {
            "ti": self.ti,
            "run_id": self.ti.run_id,
            "logical_date": None,
            "task_reschedule_count": self.reschedules,
        }
        if self.store is not None:
            context["task_state_store"] = self.store
        if self.in_loop:
            context["loop"] = SimpleNamespace(index=self.ti.region_index)
        self._operator, self._process = operator, blocking.Process()
        await asyncio.sleep(self.world.chance.uniform(0.5, 5))
        if self._interrupted.done():
            raise Died(self._interrupted.result())
        TASK.set(self)
        WRITER.set(self.logs.worker(self.ti.try_number))
        self._thread = blocking.Thread(lambda: self._run(step, operator, context), self._process)
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
            raise Died(self._interrupted.result())
        finally:
            if alarm is not None:
                alarm.cancel()
            self._process.kill()  # its daemon threads end with it
            self._operator = self._thread = None

    def _run(self, step: Step, operator: ArmadaOperator, context: Any) -> Any:
        try:
            return step(operator, context)
        except TaskDeferred:
            self.reach("deferring")
            raise

    def _resume(self, event: Any, operator: ArmadaOperator, context: Any) -> Any:
        self.reach("resuming")
        if event is DEFERRAL_TIMED_OUT:
            return operator.resume_execution(
                TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, context
            )
        value = operator.execute_complete(context, event)
        self.reach("finishing")
        return value

    def reach(self, point: str) -> None:
        """Let the worker of the first try die here, if that is wanted; called by its code."""
        if point == self.dies_at and self.ti.try_number == 1 and not self._interrupted.done():
            self._interrupted.set_result("SIGKILL")
            blocking.hold(asyncio.get_running_loop().create_future())

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
            await asyncio.sleep(self.heartbeat_timeout)

    async def _defer(self, trigger: Any) -> Any:
        """Run the trigger, and give its event; None where the user has ended the deferral."""
        self.ti.state, self._trigger = "deferred", None
        classpath, kwargs = trigger.serialize()
        assert classpath.endswith("ArmadaJobTrigger")
        self.tell(f"deferred: job {kwargs['job_id']}")
        reported = time.time() + self.world.chance.uniform(0.05, HEARTBEAT)
        await asyncio.sleep(self.world.chance.uniform(0.1, 2))
        if self._stalled is not None:
            await self._stalled
        fired: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._start_trigger(kwargs, fired)
        await asyncio.wait({fired, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if self._interrupted.done():
            return None
        event = fired.result()
        if time.time() < reported:
            # Airflow finds the task queued when its executor reports the process's end, and takes that for a crash.
            self.early += 1
        self._log.close()
        if event is DEFERRAL_TIMED_OUT:
            return event
        if isinstance(event, TaskSuccessEvent):
            self.concluded[self.ti.try_number] = concluded(self.ti.xcoms)
            self._ends("success", None)
            return None
        return event.payload

    def _start_trigger(self, kwargs: dict[str, Any], fired: asyncio.Future[Any]) -> None:
        trigger = _Trigger(self.tell, kwargs)
        trigger.task_instance = self.ti  # type: ignore[assignment]
        self._kwargs, self._fired = kwargs, fired

        self._log = log = self.logs.triggerer(self.ti.try_number, f"triggerer {self._triggerer}")
        context = contextvars.copy_context()
        context.run(WRITER.set, log)

        def fire(event: Any) -> None:
            if not fired.done() and self.ti.state == "deferred":
                fired.set_result(event)

        self._trigger = asyncio.create_task(self.world.airflow.run_trigger(trigger, fire), context=context)
        self._trigger.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._others.append(self._trigger)

    # What happens to a task from outside

    def kill(self) -> None:
        """The user marks the task as failed."""
        if self.ti.state not in ("running", "deferred"):
            return
        self._take_away("failed", "marked as failed by the user")

    def mark_success(self) -> None:
        """The user marks the task as successful."""
        if self.ti.state in ("running", "deferred"):
            self.marked = True
            self._take_away("success", "marked as successful by the user")

    def delete(self) -> None:
        """The user deletes the DAG run, and with it the task."""
        if self.ti.state in ("running", "deferred"):
            self._take_away("removed", "deleted by the user")

    @property
    def exists(self) -> bool:
        """Whether Airflow knows of the task."""
        return self.ti.state != "removed"

    @property
    def told_state(self) -> str | None:
        """The state that Airflow tells a trigger: a task that was cleared has none until it is scheduled again."""
        return None if self.ti.state == "restarting" else self.ti.state

    def clear(self) -> None:
        """The user clears the task."""
        if self.ti.state not in ("running", "deferred"):
            return
        self._take_away("restarting", "cleared by the user")

    def _take_away(self, state: str, what: str) -> None:
        self.tell(what)
        self.taken.append(time.time())
        was, self.ti.state = self.ti.state, state
        if was == "deferred" and self._trigger is not None and not self._trigger.done():
            if self._stalled is not None and not self._stalled.done():
                self._cancelled_late.append(self._trigger)
            else:
                self.world.airflow.end_for_user(self._trigger)
        elif was == "deferred":
            self.excused = "Airflow tells nobody of a kill while the trigger does not run"
        if not self._interrupted.done():
            self._interrupted.set_result("SIGTERM")

    def time_out_deferral(self) -> None:
        """The time that Airflow allows the deferral is over."""
        if self.ti.state == "deferred" and self._trigger is not None and not self._fired.done():
            self.tell("the deferral times out")
            self.deferral_timed_out = True
            self._trigger.cancel()
            self._fired.set_result(DEFERRAL_TIMED_OUT)

    def terminate_worker(self) -> None:
        """The worker's process gets SIGTERM, not because of a user."""
        if self.ti.state == "running" and self._thread is not None and not self._interrupted.done():
            self.taken.append(time.time())
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
        self._triggerer += 1
        self._trigger.cancel()
        kwargs, fired = self._kwargs, self._fired
        self.paused += pause
        await asyncio.sleep(pause)
        if self.ti.state == "deferred" and not fired.done():
            self._start_trigger(kwargs, fired)

    async def stall_triggerer(self, pause: float) -> None:
        """No triggerer does anything for a while: it neither starts nor cancels triggers."""
        self.tell("all triggerers stand still")
        self._stalled = asyncio.get_running_loop().create_future()
        await asyncio.sleep(pause)
        self._stalled.set_result(None)
        for trigger in self._cancelled_late:
            self.world.airflow.end_for_user(trigger)

    async def take_over(self, pause: float) -> None:
        """Another triggerer takes the trigger over; the first one notices that later."""
        if self.ti.state != "deferred" or self._trigger is None or self._fired.done():
            return
        self.tell("another triggerer takes over")
        old = self._trigger
        self._triggerer += 1
        self._start_trigger(self._kwargs, self._fired)
        await asyncio.sleep(pause)
        self.world.airflow.end_for_other(old)

    async def finish(self) -> None:
        """Wait until nothing of the task runs any more."""
        if self._trigger is not None and not self._trigger.done():
            self._trigger.cancel()
        await asyncio.gather(*self._others, return_exceptions=True)


def _datetime() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
