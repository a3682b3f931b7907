"""One container of a pod: a local process with its own log.

Arguments without a command run by themselves, as in an image that has no entry point.
"""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_armada.api import event_pb2
from airflow_armada.api.core_v1_pb2 import Container
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.ids import new_uuid
from airflow_armada.standalone.resource_amounts import amount_of
from airflow_armada.standalone.runner.container_log import ContainerLog, read_available
from airflow_armada.standalone.runner.environment import HOME, CannotStart, environment
from airflow_armada.standalone.runner.expansion import expand
from airflow_armada.standalone.runner.own_files import TerminationLog
from airflow_armada.standalone.runner.own_files import shared_memory as _shared_memory
from airflow_armada.standalone.runner.processes import Ended, LogPipe, Process, Processes, SupervisorLost
from airflow_armada.standalone.runner.volumes import Bind, folder_size
from airflow_armada.standalone.store.model import Job

# containerd's exit code for a container whose command could not be executed.
START_ERROR = 128
MOUNTED = Path(__file__).with_name("mounted.py")


@dataclass
class Terminated:
    """How a container ended, as Kubernetes would report it.

    :param reason: ``Completed``, ``Error``, ``OOMKilled`` or ``StartError``
    """

    exit_code: int
    reason: str
    message: str = ""

    def status(self, name: str) -> event_pb2.ContainerStatus:
        """Return the message for it in a ``failed`` event."""
        cause = event_pb2.OOM if self.reason == "OOMKilled" else event_pb2.Error
        return event_pb2.ContainerStatus(
            name=name, exitCode=self.exit_code, message=self.message, reason=self.reason, cause=cause
        )


class RunningContainer:
    """A container from its start to its end.

    :ivar binds: what it sees at which paths
    :ivar running: set as soon as its process runs
    """

    def __init__(self, job: Job, spec: Container, folder: Path, log: ContainerLog, provided: Provided) -> None:
        self.spec = spec
        self.log = log
        self.terminated: Terminated | None = None
        self.binds: Sequence[Bind] = ()
        self.running = asyncio.Event()
        self._out_of_memory = False
        self._termination_log = TerminationLog(spec, folder)
        self._job = job
        self._provided = provided
        self._folder = folder
        self._process: Process | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def _home(self) -> Path:
        return self._folder / HOME

    @property
    def started(self) -> bool:
        """Whether its process has been started, whatever became of it."""
        return self._process is not None and self._process.started.done()

    @property
    def alive(self) -> bool:
        """Whether its process has been asked for and has not ended."""
        return self._process is not None and not self._process.ended.done()

    async def ended(self, seconds: float) -> None:
        """Wait until its process has ended, for a time at most."""
        if self._process is not None:
            await asyncio.wait([self._process.ended], timeout=seconds)

    @property
    def usage(self) -> tuple[int, float]:
        """Resident bytes and CPU seconds when last seen."""
        return self._process.usage if self._process else (0, 0.0)

    def mount(self, volumes: Iterable[Bind], shared_memory: Path) -> None:
        """Let it see volumes, and the files that it has beside them.

        :param shared_memory: the pod's folder for ``/dev/shm``
        """
        binds = [*self._termination_log.binds(), *_shared_memory(self.spec, shared_memory), *volumes]
        self.binds = list({bind.target: bind for bind in binds}.values())

    def beside(self, spec: Container, log: ContainerLog, provided: Provided) -> RunningContainer:
        """Return another container that sees the same files."""
        other = RunningContainer(self._job, spec, self._folder, log, provided)
        other.binds = self.binds
        return other

    async def run(self, processes: Processes, started: asyncio.Event) -> Terminated:
        """Run the command to its end.

        :param started: set as soon as the process runs
        :raises CannotStart: the spec cannot be run here
        """
        pipe = LogPipe(self._folder / f"{new_uuid()}.log")
        loop = asyncio.get_running_loop()
        try:
            self._process = self._spawn(processes, pipe.path)
            loop.add_reader(pipe.descriptor, self._read, loop, pipe.descriptor)
            self.terminated = await self._follow(self._process, started)
        finally:
            loop.remove_reader(pipe.descriptor)
            while content := read_available(pipe.descriptor):
                self.log.feed(content)
            self.log.close()
            pipe.close()
        if self._out_of_memory or self.fills_memory():
            self.terminated = Terminated(128 + signal.SIGKILL, "OOMKilled")
        message = self._termination_log.message(self.terminated.exit_code, self.log)
        self.terminated.message = self.terminated.message or message
        return self.terminated

    def fills_memory(self) -> bool:
        """Return whether its files in memory, such as those in ``/dev/shm``, are more than it may have."""
        files = [Path(bind.source) for bind in self.binds if bind.in_memory]
        return bool(files) and 0 < self._memory_limit < sum(map(folder_size, files))

    def run_out_of_memory(self, processes: Processes) -> None:
        """End it as the kernel ends what has no memory left."""
        self._out_of_memory = True
        self.signal(processes, signal.SIGKILL)

    @property
    def _memory_limit(self) -> int:
        return int(amount_of(self.spec.resources.limits["memory"]))

    async def _follow(self, process: Process, started: asyncio.Event) -> Terminated:
        try:
            await process.started
        except OSError as error:
            return Terminated(START_ERROR, "StartError", self._start_error(error))
        started.set()
        self.running.set()
        try:
            return _terminated(await process.ended)
        except SupervisorLost as error:
            return Terminated(137, "Error", str(error))

    def _spawn(self, processes: Processes, log: Path) -> Process:
        variables = environment(self._job, self.spec, self._folder, self._provided)
        argv = [expand(part, variables) for part in (*self.spec.command, *self.spec.args)]
        if not argv:
            raise CannotStart(
                f"container {self.name} has no command, and the embedded Armada runs commands as local processes "
                "without pulling images: set the container's command"
            )
        if self.binds:
            argv = self._with_volumes(log.stem, argv)
        return processes.spawn(log.stem, argv, variables, self._working_folder(), log, self._memory_limit)

    def _with_volumes(self, key: str, argv: Sequence[str]) -> list[str]:
        """Return the command that runs a command with the container's volumes."""
        root = self._folder / f"root-{key}"
        root.mkdir(mode=0o700)
        binds = [(bind.source, bind.target, bind.read_only) for bind in self.binds]
        start = self.spec.workingDir if self.spec.workingDir.startswith("/") else str(self._working_folder())
        return [sys.executable, "-I", "-S", str(MOUNTED), str(root), json.dumps(binds), start, *argv]

    def _working_folder(self) -> Path:
        """Return where to start: a missing working folder is made, as runtimes do, but within the pod's own."""
        wanted = Path(self.spec.workingDir or self._home)
        if self.binds and wanted.is_absolute():
            return self._home
        if wanted.is_absolute() and wanted.is_dir():
            return wanted
        folder = self._home.joinpath(*(part for part in wanted.parts if part not in ("/", "..")))
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _start_error(self, error: OSError) -> str:
        command = [*self.spec.command, *self.spec.args][0]
        if error.errno == errno.ENOENT:
            return f'exec: "{command}": executable file not found'
        return f'exec: "{command}": {error.strerror}'

    def _read(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        content = read_available(descriptor)
        if content:
            self.log.feed(content)
        elif content is not None:
            loop.remove_reader(descriptor)

    def signal(self, processes: Processes, number: signal.Signals) -> None:
        """Send a signal to the process and its group, if it runs."""
        if self._process is not None:
            processes.signal(self._process, number)


def _terminated(ended: Ended) -> Terminated:
    code = ended.code if ended.code >= 0 else 128 - ended.code
    if ended.out_of_memory:
        return Terminated(code, "OOMKilled")
    return Terminated(code, "Error" if code else "Completed")
