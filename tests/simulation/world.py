"""The simulated world of a life: the embedded Armada, the ways to it, and what stands in for threads and sockets."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from airflow_armada.api import submit_pb2
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import JobProgress
from airflow_armada.follow.stream import tracked_job
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.standalone.config import Config, Simulation
from airflow_armada.standalone.in_memory import InMemoryArmada
from airflow_armada.standalone.store.model import Job
from airflow_armada.task.kill import Kill
from airflow_armada.task.submit.record import Journal
from airflow_armada.triggers.imports import import_all
from airflow_armada.wait.log_record import LogRecord
from tests.simulation import blocking, task_logs
from tests.simulation.airflow import CONN_ID, TASK
from tests.simulation.cancels import Cancel
from tests.simulation.printing import let_print
from tests.simulation.stragglers import let_straggle
from tests.simulation.task_logs import Pipe
from tests.simulation.transport import AioChannel, SyncChannel
from tests.simulation.versions import Version
from tests.simulation.weather import Spell, Weather, now

TARGET = "armada.simulated:50051"
CPUS = Fraction(64)
OTHER_TARGET = "other.simulated:50051"
OTHER_CONN_ID = "armada_other"
SETTINGS = {
    CONN_ID: SiteSettings(target=TARGET, tls=None, binoculars=TARGET),
    OTHER_CONN_ID: SiteSettings(target=OTHER_TARGET, tls=None, binoculars=OTHER_TARGET),
}
MACHINE = Config(cpus=CPUS, memory=Fraction(1 << 38))
RUBBISH = b"\x0a\xff"
import_all()  # before time is virtual: the first trigger would do it, in a thread


class World:
    """
    What the life of one or several tasks happens in.

    :param spells: its faults.
    :param chance: decides about the rest.
    :param airflow: its version of Airflow.
    """

    def __init__(self, spells: Sequence[Spell], chance: random.Random, airflow: Version) -> None:
        self.chance = chance
        self.airflow = airflow
        self.table: list[tuple[str, str, str]] = []
        self.armada = InMemoryArmada(replace(MACHINE, simulation=Simulation(seed=chance.randrange(1 << 30))))
        self.other = InMemoryArmada(replace(MACHINE, simulation=Simulation()))
        self.pipe = Pipe()
        self.weather = Weather(spells, self.armada, self.pipe, chance)
        self.states: Callable[[], dict[str, str | None]] = dict
        self.cancels: list[Cancel] = []
        self.moves: set[str] = set()
        self._folds = fold
        self.channels: list[AioChannel | SyncChannel] = []
        self.pruned: list[Job] = []
        self.printed: dict[str, int] = {}

    def tell(self, who: str, what: str) -> None:
        """Note for the table of the life who did what when."""
        self.table.append((now(), who, what))

    @property
    def jobs(self) -> list[Job]:
        """All jobs that there have been, the oldest first of each Armada."""
        there = [*self.armada.engine.store.jobs.values(), *self.other.engine.store.jobs.values()]
        return [*self.pruned, *there]

    def at(self, target: str) -> InMemoryArmada:
        """Give the Armada at an address."""
        return self.armada if target == TARGET else self.other

    async def unary(self, target: str, method: Any, request: Any) -> bytes:
        """Carry a call to Armada and its answer back."""
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        self.weather.before(method.name)
        await self.weather.pass_through()
        if method.name == "Logs" and self.weather.has("logs slow"):
            await asyncio.sleep(self.chance.uniform(1, 9))
        if method.name in ("CancelJobs", "CancelJobSet"):
            self.cancels.append(Cancel.of(request, time.time()))
        answer = await self.at(target).unary(method, request)
        self.weather.after(method.name)
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        if method.name in ("SubmitJobs", "CancelJobs"):
            self.tell("armada", f"{method.name}: {str(answer).split()}")
        content: bytes = answer.SerializeToString()
        return content

    async def stream(self, target: str, method: Any, request: Any) -> AsyncIterator[bytes]:
        """Carry a stream, and rubbish between its messages if that is the weather."""
        self.weather.before(method.name)
        await self.weather.pass_through()
        async for message in self.at(target).stream(method, request):
            if self.weather.has("events mangled"):
                yield RUBBISH
            yield message.SerializeToString()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the provider's code meet this world wherever it would open a channel, start a thread or ask Airflow."""

        def here(hook: ArmadaHook, **_: Any) -> SiteSettings:
            return SETTINGS[hook.armada_conn_id]

        async def there(hook: ArmadaHook, **_: Any) -> SiteSettings:
            await asyncio.sleep(0.01)
            if self.weather.has("connection unusable"):
                raise SettingsError("cannot read the CA file: no such file")
            return SETTINGS[hook.armada_conn_id]

        def channel(settings: SiteSettings, target: str = "", **_: Any) -> AioChannel:
            return AioChannel(self, target or settings.target)

        self._folds = tracked_job.fold  # a mutation may stand in its place
        package = "airflow_armada"
        stand_ins: dict[str, Any] = {
            f"{package}.client.client.open_channel": lambda settings, **_: SyncChannel(self, settings.target),
            f"{package}.client.asyncio_client.open_aio_channel": channel,
            f"{package}.follow.log.log_service.open_aio_channel": channel,
            f"{package}.follow.site_channels.open_aio_channel": channel,
            f"{package}.task.segment.settings_for_task": here,
            f"{package}.task.submit.sites.settings_for_task": here,
            f"{package}.task.submit.submission.begin": blocking.begin,
            f"{package}.task.uninterrupted.begin": blocking.begin,
            f"{package}.task.end.unfinished.begin": blocking.begin,
            f"{package}.task.submit.record.Journal.write": probed(
                Journal.write, lambda record: "noted" if record.job_id else "intended"
            ),
            f"{package}.client.client.ArmadaClient.submit_jobs": probed(
                ArmadaClient.submit_jobs, lambda _: "submitted"
            ),
            f"{package}.task.end.unfinished.threading": SimpleNamespace(Thread=_DaemonThread),
            f"{package}.tries.attempt.process_age": lambda: 0.0,
            f"{package}.follow.stream.tracked_job.fold": self._fold,
            f"{package}.task.check_task.runs_task": lambda: True,
            f"{package}.jobs.render.dump": str,
            f"{package}.wait.metrics.INTERVAL": 300.0,
            f"{package}.standalone.scheduling.engine.HOUSEKEEPING_SECONDS": 60.0,
            f"{package}.wait.worker_loop.WorkerLoop": _WorkerLoop,
            f"{package}.wait.task_log._writer": _Inline,
            f"{package}.wait.task_log._now": lambda: datetime.fromtimestamp(time.time(), UTC),
            f"{package}.wait.log_pipe.unread": self.pipe.unread,
            f"{package}.wait.task_log.unread": self.pipe.unread,
            f"{package}.triggers.killed.ask_airflow": self._ask_airflow,
        }
        with ExitStack() as stack:
            for name, value in stand_ins.items():
                stack.enter_context(patch(name, value))
            for name in ("settings", "known_settings", "current_or_known_settings"):
                stack.enter_context(patch.object(ArmadaHook, name, here))
            stack.enter_context(patch.object(ArmadaHook, "asettings", there))
            stack.enter_context(patch("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True))
            stack.enter_context(patch.object(Kill, "wait", _wait_for_kill))
            stack.enter_context(patch.object(LogRecord, "write", task_logs.write))
            yield

    def _fold(self, state: JobProgress, kind: str, body: Any) -> JobProgress:
        """Fold an event as the followers do, and note from which state to which that leads."""
        new = self._folds(state, kind, body)
        if (new.phase, new.end) != (state.phase, state.end):
            self.moves.add(f"{_name(state)} -> {_name(new)} by {kind}")
        return new

    async def _ask_airflow(self, _question: Any, _dag_id: str, run_id: str, _task_ids: list[str]) -> Any:
        """Tell the states of all task instances, some time later."""
        await asyncio.sleep(self.chance.uniform(0.05, 2))
        return {run_id: self.states()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the Armadas run, each with the queue that all tasks submit to."""
        async with self.armada, self.other:
            for armada in (self.armada, self.other):
                armada.engine.queues.put(submit_pb2.Queue(name="q", priority_factor=1.0))
                let_print(armada.engine, self.printed, self.chance)
            let_straggle(self.armada.engine, self.weather)
            yield


def _name(state: JobProgress) -> str:
    phases = ("unknown", "submitted", "queued", "leased", "pending", "running", "ended")
    return state.end or phases[state.phase]


def probed(method: Callable[..., Any], point: Callable[[Any], str]) -> Callable[..., Any]:
    """Let a worker that is to die there die after a method was called."""

    def call(self: Any, *arguments: Any, **kwargs: Any) -> Any:
        answer = method(self, *arguments, **kwargs)
        TASK.get().reach(point(answer))
        return answer

    return call


def _wait_for_kill(kill: Kill, seconds: float) -> bool:
    async def wait() -> bool:
        until = asyncio.get_running_loop().time() + seconds
        while not kill.came and (left := until - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, 0.25))
        return kill.came

    return blocking.hold(wait())


class _Inline:
    """Writes at once: nothing waits for a log in this world."""

    async def write(self, _lines: int, work: Callable[[], None]) -> None:
        work()


class _DaemonThread:
    """Stands in for ``threading.Thread``."""

    def __init__(self, target: Any, args: Any = (), name: str = "", daemon: bool = False) -> None:
        self._work = lambda: target(*args)
        self._future: blocking.Future[Any] | None = None

    def start(self) -> None:
        self._future = blocking.begin(self._work, "thread")

    def join(self, timeout: float | None = None) -> None:
        assert self._future is not None
        try:
            self._future.result(timeout)
        except TimeoutError:
            return


class _WorkerLoop:
    """Stands in for the thread in which a worker follows its job: its loop is the world's."""

    def __init__(self, killed: Any = lambda: False) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._killed = killed

    def run(self, work: Any, *, last_words: float = 0.0) -> Any:
        from airflow_armada._compat import AirflowTaskTimeout

        if self._killed():
            raise asyncio.CancelledError
        self._task = task = asyncio.get_running_loop().create_task(work())

        async def wait(seconds: float | None) -> Any:
            done, _ = await asyncio.wait({task}, timeout=seconds)
            if not done:
                raise TimeoutError
            return task.result()

        try:
            return blocking.hold(wait(None))
        except AirflowTaskTimeout as alarm:
            try:
                return blocking.hold(wait(last_words))
            except TimeoutError:
                raise alarm from None
        finally:
            self.stop()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
