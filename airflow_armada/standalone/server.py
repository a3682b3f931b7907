"""The embedded Armada as an object: used from ordinary code, served by a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from airflow_armada.api.event_pb2 import EventMessage
from airflow_armada.api.loopback_token import TokenFile
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.api.submit_pb2 import Queue
from airflow_armada.standalone.auth import ANONYMOUS, Authenticator, Credentials
from airflow_armada.standalone.config import Config, Retention, Simulation
from airflow_armada.standalone.disruptions import Disruptions
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.runner.pods import Pods
from airflow_armada.standalone.runner.simulation import SimulatedPods
from airflow_armada.standalone.runner.work_folder import WorkFolder
from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.scheduling.watchdog import Watchdog
from airflow_armada.standalone.services.access import Access
from airflow_armada.standalone.services.dispatch import CallCounts, Dispatcher
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.services.table import routes
from airflow_armada.standalone.store.model import Job

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
START_SECONDS = 30.0
ResultT = TypeVar("ResultT")

# Armada tolerates pings every 10 s, also without calls, and closes idle connections after 5 minutes.
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_receive_message_length", 4 * 2**20),
    ("grpc.max_send_message_length", -1),
)


class StandaloneArmada:
    """An Armada that runs jobs as processes on this machine and listens on the loopback interface only.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. When it stops, its job processes are killed.

    Whoever may submit a job may run commands as the user of this process. So callers need a token, which clients of
    this package that run as the same user find by themselves; others are given :attr:`token`.

    :param port: the TCP port, 0 for any free one
    :param work_dir: where pods have their private folders; by default a temporary one, removed at the end
    :param cpus: cores that jobs may request in all, as a number or a quantity; by default the machine's
    :param memory: memory that jobs may request in all, in bytes or as a quantity; by default the machine's
    :param credentials: whom to let in; by default who knows :attr:`token`, as ``anonymous``
    :param retention: how long what is over stays readable
    :param simulate: whether no process is started, and how the simulated pods behave
    :param config: all other settings
    """

    def __init__(
        self,
        port: int = 0,
        *,
        work_dir: str | Path | None = None,
        cpus: float | str | None = None,
        memory: float | str | None = None,
        faults: Faults | None = None,
        credentials: Credentials | None = None,
        retention: Retention | None = None,
        simulate: Simulation | bool = False,
        config: Config | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.token = "" if credentials else secrets.token_urlsafe(32)
        self.authenticator = Authenticator(credentials or Credentials(tokens={self.token: ANONYMOUS}))
        self.config = _configured(config or Config(), cpus, memory, retention)
        if simulate:
            rules = Simulation() if simulate is True else simulate
            self.config = replace(self.config, simulation=rules)
        self._port = port
        self._work_dir = Path(work_dir) if work_dir else None
        self._dispatcher = Dispatcher(self.authenticator, self.faults)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._server: grpc.aio.Server | None = None
        self._routes: Routes = {}
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._token_files: list[TokenFile] = []

    # Life cycle

    def start(self) -> StandaloneArmada:
        """Serve, and return as soon as calls are answered.

        :raises OSError: the port cannot be listened on
        """
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="armada-standalone", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError(f"the embedded Armada did not start within {START_SECONDS:g} seconds")
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop serving and kill every job process; returns when all are gone."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        while self._token_files:
            self._token_files.pop().close()

    def __enter__(self) -> StandaloneArmada:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        folder = WorkFolder(self._work_dir)
        simulation = self.config.simulation
        pods = SimulatedPods(self.config, simulation) if simulation else Pods(self.config, folder)
        engine = self._engine = Engine(self.config, pods, self.faults)
        self._routes = routes(Access(engine, self.authenticator, self.faults))
        self.faults.listen(lambda: self._call_soon(self._faults_changed))
        watchdog = [Watchdog(engine, pods).run()] if isinstance(pods, Pods) else []
        work = [asyncio.create_task(part) for part in (engine.run(), *watchdog)]
        for task in work:
            task.add_done_callback(_report_crash)
        try:
            await self._listen()
            self._ready.set()
            await self._stopping.wait()
            await self._close()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            folder.close()

    async def _listen(self) -> None:
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(self._dispatcher.generic_handlers(self._routes))
        try:
            port = server.add_insecure_port(f"{HOST}:{self._port}")
        except RuntimeError:
            raise OSError(f"cannot listen on {HOST}:{self._port}: the port is in use; choose another one") from None
        if self.token and not self._token_files:
            try:
                self.leave_token(port)
            except OSError as error:
                raise OSError(
                    f"cannot leave the token for this user's clients: {error}; set XDG_STATE_HOME to a folder that can "
                    "be written, or choose the credentials"
                ) from None
        await server.start()
        self._server, self._port = server, port

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace=None)

    # What users and tests look at

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return self._port

    @property
    def target(self) -> str:
        """What a gRPC channel connects to."""
        return f"{HOST}:{self._port}"

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """What a call through a bare gRPC channel has to send along."""
        return [("authorization", f"Bearer {self.token}")] if self.token else []

    def leave_token(self, port: int) -> None:
        """Let this user's clients find the token by a port; for others than its own, that something forwards to it.

        :raises OSError: the file cannot be written
        """
        self._token_files.append(TokenFile(port, self.token))

    def connection(self, **extra: Any) -> str:
        """Return an Airflow connection to this server, as ``AIRFLOW_CONN_...`` takes it.

        :param extra: further extras of the connection, or other values for ``tls`` and ``binoculars``
        """
        extras = {"tls": False, "binoculars": self.target, **extra}
        return json.dumps({"conn_type": "armada", "host": HOST, "port": self.port, "extra": extras})

    @property
    def calls(self) -> CallCounts:
        """How often each method was called, by its full path; a copy."""
        return CallCounts(self._dispatcher.calls)

    @property
    def open_streams(self) -> CallCounts:
        """How many streams are open, by the method's full path; a copy."""
        return CallCounts(self._dispatcher.open_streams)

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The known jobs by id, in the order in which they were submitted; a copy, its jobs are for reading only."""
        return dict(self._in_engine.store.jobs)

    def create_queue(self, name: str, priority_factor: float = 1.0, **fields: Any) -> None:
        """Create a queue, or replace one.

        :param fields: more fields of the queue message
        """
        queue = Queue(name=name, priority_factor=priority_factor, **fields)
        self.call(lambda engine: engine.queues.put(queue))
        self.call(lambda engine: engine.wake())

    @property
    def disruptions(self) -> Disruptions:
        """What can be done to jobs that does not happen by itself on one machine."""
        return Disruptions(self.call)

    def publish(self, queue: str, job_set_id: str, messages: Sequence[EventMessage]) -> None:
        """Store events that no job here stands behind, for tests of those who read them."""
        self.call(lambda engine: engine.events.append(queue, job_set_id, messages))

    def disconnect(self) -> None:
        """Stop listening and break every connection while the jobs go on, as clients see a server that restarts."""
        self._await(self._close())

    def reconnect(self) -> None:
        """Listen again, on the same port."""
        self._await(self._listen())

    def call(self, work: Callable[[Engine], ResultT]) -> ResultT:
        """Run something on the server's event loop, with the engine, and return what it gives."""

        async def run() -> ResultT:
            return work(self._in_engine)

        return self._await(run())

    @property
    def _in_engine(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the embedded Armada has not been started")
        return self._engine

    def _await(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        if self._loop is None:
            raise RuntimeError("the embedded Armada has not been started")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    def _call_soon(self, work: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def _faults_changed(self) -> None:
        engine = self._in_engine
        engine.events.wake_all()
        engine.bus.look_again()


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the embedded Armada does not schedule any more", exc_info=error)


def _configured(
    config: Config, cpus: float | str | None, memory: float | str | None, retention: Retention | None
) -> Config:
    changes: dict[str, Any] = {} if retention is None else {"retention": retention}
    if cpus is not None:
        changes["cpus"] = _amount(cpus)
    if memory is not None:
        changes["memory"] = _amount(memory)
    return replace(config, **changes)


def _amount(value: float | str) -> Fraction:
    return parse_quantity(value) if isinstance(value, str) else Fraction(value)
