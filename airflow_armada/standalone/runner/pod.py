"""A pod: a job's containers, run as Kubernetes runs them, init containers first and the others side by side."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from airflow_armada.api import event_pb2
from airflow_armada.api.core_v1_pb2 import Container
from airflow_armada.api.image_name import is_image_name
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.runner.container import RunningContainer, Terminated
from airflow_armada.standalone.runner.container_log import ContainerLog
from airflow_armada.standalone.runner.environment import HOME, TEMPORARY, CannotStart
from airflow_armada.standalone.runner.left_out import left_out, note
from airflow_armada.standalone.runner.lifecycle import Lifecycle
from airflow_armada.standalone.runner.processes import Processes
from airflow_armada.standalone.runner.volumes import Volumes
from airflow_armada.standalone.store.event_messages import Failure
from airflow_armada.standalone.store.model import Job

NewLog = Callable[[], ContainerLog]
UNABLE_TO_START = "Unable to start pod - encountered an unrecoverable problem.\n"
INVALID_IMAGE = (
    "Container {container} has been in state Waiting for reason InvalidImageName (Failed to apply default image tag "
    '"{image}": couldn\'t parse image name - check "check-0") for more than timeout 0s'
)
SHARED_MEMORY = "shm"
PAST_DEADLINE = "Pod was active on the node longer than the specified deadline"


@dataclass
class Usage:
    """What a pod used: resident bytes now and at most, CPU seconds in all."""

    memory: int = 0
    peak_memory: int = 0
    cpu_seconds: float = 0.0


class Pod:
    """A job's run on this machine.

    :param folder: the pod's private folder, made by this and removed by :meth:`remove`
    :param new_log: makes the log of a container
    :param provided: the config maps, secrets and host paths that there are
    """

    def __init__(self, job: Job, processes: Processes, folder: Path, new_log: NewLog, provided: Provided) -> None:
        self.job = job
        self.folder = folder
        self._provided = provided
        self.init_containers = self._containers(job.pod_spec.initContainers, new_log)
        self.containers = self._containers(job.pod_spec.containers, new_log)
        self.usage = Usage()
        self.volumes: Volumes | None = None
        self._processes = processes
        self._end: Failure | None = None
        self._stopping = False
        self._sidecars: list[asyncio.Task[Terminated]] = []
        self._lifecycles: dict[str, Lifecycle] = {}

    def _containers(self, specs: Iterable[Container], new_log: NewLog) -> list[RunningContainer]:
        return [RunningContainer(self.job, spec, self.folder, new_log(), self._provided) for spec in specs]

    @property
    def all_containers(self) -> list[RunningContainer]:
        """Every container of the pod, init containers first."""
        return [*self.init_containers, *self.containers]

    async def run(self, on_running: Callable[[], None]) -> Failure | None:
        """Run the pod to its end.

        :param on_running: called when a container that is not an init container runs
        :return: why it failed, or None if every container ended with exit code 0
        """
        for name in (HOME, TEMPORARY):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        deadline = asyncio.create_task(self._enforce_deadline(self.job.pod_spec.activeDeadlineSeconds))
        try:
            self._prepare()
            if await self._run_init_containers():
                await self._run_containers(on_running)
        except CannotStart as problem:
            self._end = Failure(UNABLE_TO_START + str(problem), from_pod=True)
            await self.stop(0)
        finally:
            deadline.cancel()
            await self._stop_sidecars()
        return self._verdict()

    def _prepare(self) -> None:
        self.volumes = Volumes(self.job.pod_spec, self.folder, self._provided)
        grace = self.job.pod_spec.terminationGracePeriodSeconds
        for container in self.all_containers:
            if container.spec.image and not is_image_name(container.spec.image):
                raise CannotStart(INVALID_IMAGE.format(container=container.name, image=container.spec.image))
            container.mount(self.volumes.binds(container.spec), self.folder / SHARED_MEMORY)
            if names := left_out(self.job.pod_spec, container.spec):
                container.log.feed(note(names))
            self._lifecycles[container.name] = Lifecycle(container, self._processes, self._provided, grace)

    async def _run_init_containers(self) -> bool:
        for container in self.init_containers:
            if self._stopping:
                return False
            started = asyncio.Event()
            task = asyncio.create_task(self._run_container(container, started))
            if container.spec.restartPolicy == "Always":
                self._sidecars.append(task)
                await _first(task, asyncio.create_task(started.wait()))
                await self._lifecycles[container.name].start_up()
            elif (await task).exit_code != 0:
                return False
        return True

    async def _run_container(self, container: RunningContainer, started: asyncio.Event) -> Terminated:
        is_sidecar = container.spec.restartPolicy == "Always"
        watch = asyncio.create_task(self._lifecycles[container.name].watch(started_up=is_sidecar))
        try:
            return await container.run(self._processes, started)
        finally:
            watch.cancel()
            (problem,) = await asyncio.gather(watch, return_exceptions=True)
            if isinstance(problem, Exception):
                raise problem

    async def _run_containers(self, on_running: Callable[[], None]) -> None:
        if self._stopping:
            return
        started = asyncio.Event()
        tasks = [asyncio.create_task(self._run_container(one, started)) for one in self.containers]
        everything = asyncio.gather(*tasks, return_exceptions=True)
        await _first(everything, asyncio.create_task(started.wait()))
        if started.is_set():
            on_running()
        refused = [task for task in tasks if task.done() and isinstance(task.exception(), CannotStart)]
        if refused:
            await self.stop(0)
        for result in await everything:
            if isinstance(result, BaseException):
                raise result

    async def _enforce_deadline(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        self._end = Failure(PAST_DEADLINE, event_pb2.DeadlineExceeded, from_pod=True)
        await self.stop(self.job.pod_spec.terminationGracePeriodSeconds)

    async def stop(self, grace: float) -> None:
        """End every container: its preStop hook, SIGTERM, and SIGKILL if it is left after a time.

        :param grace: seconds from the first to the last; 0 kills at once
        """
        self._stopping = True
        await asyncio.gather(*(lifecycle.stop(grace) for lifecycle in self._lifecycles.values()))

    def _signal(self, number: signal.Signals) -> None:
        for container in self.all_containers:
            container.signal(self._processes, number)

    async def _stop_sidecars(self) -> None:
        for sidecar in self.init_containers:
            sidecar.signal(self._processes, signal.SIGKILL if self._stopping else signal.SIGTERM)
        if not self._sidecars:
            return
        _, alive = await asyncio.wait(self._sidecars, timeout=self.job.pod_spec.terminationGracePeriodSeconds)
        if alive:
            self._signal(signal.SIGKILL)
            await asyncio.wait(alive)

    def full_memory(self) -> list[RunningContainer]:
        """Return the containers whose files in memory are more than they may have."""
        return [container for container in self.all_containers if container.fills_memory()]

    def evict(self, reason: str) -> None:
        """Let the pod end as one that the machine cannot keep."""
        self._end = Failure(reason, event_pb2.Evicted, from_pod=True)

    def _verdict(self) -> Failure | None:
        sidecars = frozenset(one.name for one in self.init_containers if one.spec.restartPolicy == "Always")
        return failure_of(self._end, [*self.containers, *self.init_containers], sidecars)

    def measure(self) -> Usage:
        """Return what the pod uses, with the peak up to now."""
        spent = [container.usage for container in self.all_containers]
        usage = self.usage
        usage.memory = sum(resident for resident, _ in spent)
        usage.cpu_seconds = sum(seconds for _, seconds in spent)
        usage.peak_memory = max(usage.peak_memory, usage.memory)
        return usage

    def remove(self) -> None:
        """Delete the pod's folder; its logs stay."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget_logs(self) -> None:
        """Give the space of the logs back."""
        for container in self.all_containers:
            container.log.clear()


class EndedContainer(Protocol):
    """What is known of a container when its pod has ended."""

    terminated: Terminated | None

    @property
    def name(self) -> str:
        """Its name in the pod spec."""


def failure_of(end: Failure | None, containers: Sequence[EndedContainer], sidecars: frozenset[str]) -> Failure | None:
    """Return why a pod failed, or None if it did not.

    :param end: what ended it, if that was not its containers' doing
    :param sidecars: names of containers whose exit codes do not count
    """
    statuses = [one.terminated.status(one.name) for one in containers if one.terminated]
    if end is not None:
        return Failure(end.reason, end.cause, containers=statuses, from_pod=True)
    failures = [status for status in statuses if status.exitCode != 0 and status.name not in sidecars]
    if not failures:
        return None
    cause = event_pb2.OOM if any(status.cause == event_pb2.OOM for status in failures) else event_pb2.Error
    return Failure("".join(map(_sentence, failures)), cause, containers=statuses, from_pod=True)


def _sentence(status: event_pb2.ContainerStatus) -> str:
    return (
        f"Container {status.name} failed with exit code {status.exitCode} because {status.reason}: {status.message}\n"
    )


async def _first(main: asyncio.Future[Any], other: asyncio.Task[Any]) -> None:
    """Wait until either is done, and drop the second if it is not."""
    await asyncio.wait([main, other], return_when=asyncio.FIRST_COMPLETED)
    other.cancel()
