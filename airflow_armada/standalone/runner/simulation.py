"""Simulated pods: no process is started; they last, print, fail and are preempted as annotations and rules say.

The annotations of a job: ``simulate/duration`` (seconds, or ``5-30`` for a time between by chance),
``simulate/exit-code``, ``simulate/output`` (lines that its first container prints) and ``simulate/end``, one of
``exit``, ``oom``, ``evicted`` and ``preempted``.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airflow_armada.api import event_pb2
from airflow_armada.api.core_v1_pb2 import Container
from airflow_armada.standalone.config import Config, Simulation
from airflow_armada.standalone.runner.container import Terminated
from airflow_armada.standalone.runner.container_log import ContainerLog, LogSpace
from airflow_armada.standalone.runner.pod import PAST_DEADLINE, UNABLE_TO_START, Usage, failure_of
from airflow_armada.standalone.store.event_messages import Failure
from airflow_armada.standalone.store.model import Job

PREFIX = "simulate/"
ENDS = ("exit", "oom", "evicted", "preempted")
PREEMPTED = "Preempted by scheduler using fair share preemption"
EVICTED = "The node was low on resource: memory."
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


def parse_duration(text: str) -> tuple[float, float]:
    """Return the shortest and the longest time, in seconds, that ``5`` or ``5-30`` stands for.

    :raises ValueError: the text is neither
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or (match[2] and float(match[2]) < float(match[1])):
        raise ValueError(f"{text!r} is not a duration; write seconds, such as 5 or 0.5, or a range such as 5-30")
    return float(match[1]), float(match[2] or match[1])


@dataclass(frozen=True)
class Plan:
    """What a simulated pod is going to do.

    :param end: one of :data:`ENDS`
    """

    duration: float
    exit_code: int
    end: str
    output: bytes


def plan_for(
    annotations: Mapping[str, str], simulation: Simulation, chance: random.Random, *, preemptible: bool
) -> Plan:
    """Return what a pod does: what its annotations say, and the simulation's rules for the rest.

    :param preemptible: whether the rules may preempt it
    :raises ValueError: an annotation makes no sense
    """
    duration = chance.uniform(*parse_duration(annotations.get(f"{PREFIX}duration", simulation.duration)))
    fails, is_preempted = chance.random() < simulation.failures, chance.random() < simulation.preemptions
    code = annotations.get(f"{PREFIX}exit-code", "1" if fails else "0")
    if not re.fullmatch(r"\d{1,3}", code) or int(code) > 255:
        raise ValueError(f"annotation {PREFIX}exit-code must be a number from 0 to 255, not {code!r}")
    end = annotations.get(f"{PREFIX}end", "preempted" if is_preempted and preemptible else "exit")
    if end not in ENDS:
        raise ValueError(f"annotation {PREFIX}end must be one of {', '.join(ENDS)}, not {end!r}")
    output = annotations.get(f"{PREFIX}output", "")
    return Plan(duration, int(code), end, f"{output}\n".encode() if output else b"")


@dataclass(eq=False)
class SimulatedContainer:
    """A container that only pretends."""

    spec: Container
    log: ContainerLog
    started: bool = False
    terminated: Terminated | None = None

    @property
    def name(self) -> str:
        return self.spec.name


class SimulatedPod:
    """A job's run without processes."""

    def __init__(self, job: Job, simulation: Simulation, new_log: Callable[[], ContainerLog]) -> None:
        self.job = job
        self.init_containers = [SimulatedContainer(one, new_log()) for one in job.pod_spec.initContainers]
        self.containers = [SimulatedContainer(one, new_log()) for one in job.pod_spec.containers]
        self._simulation = simulation
        self._end: Failure | None = None
        self._stopped = asyncio.Event()

    @property
    def all_containers(self) -> list[SimulatedContainer]:
        """Every container of the pod, init containers first."""
        return [*self.init_containers, *self.containers]

    async def run(self, plan: Plan, on_running: Callable[[], None]) -> Failure | None:
        """Run the pod to its end; otherwise as a real one does."""
        await self._pass(self._simulation.start)
        for container in self.all_containers:
            container.started = True
        on_running()
        if self.containers:
            self.containers[0].log.feed(plan.output)
        deadline = self.job.pod_spec.activeDeadlineSeconds
        await self._pass(min(plan.duration, deadline))
        if not self._stopped.is_set() and plan.duration > deadline:
            self._end = Failure(PAST_DEADLINE, event_pb2.DeadlineExceeded, from_pod=True)
            return self._over(143, "Error")
        return self._over(137, "Error") if self._stopped.is_set() else self._as_planned(plan)

    async def _pass(self, seconds: float) -> None:
        """Let some of the pod's time pass, unless it is stopped."""
        try:
            async with asyncio.timeout(seconds / self._simulation.speed):
                await self._stopped.wait()
        except TimeoutError:
            return

    def _as_planned(self, plan: Plan) -> Failure | None:
        if plan.end == "preempted":
            return Failure(PREEMPTED, preempted=True)
        if plan.end == "evicted":
            self.evict(EVICTED)
        if plan.end != "exit":
            return self._over(137, "OOMKilled" if plan.end == "oom" else "Error")
        return self._over(plan.exit_code, "Error" if plan.exit_code else "Completed")

    def _over(self, code: int, reason: str) -> Failure | None:
        for index, container in enumerate(self.containers):
            container.terminated = Terminated(code, reason) if index == 0 else Terminated(0, "Completed")
        for container in self.init_containers:
            container.terminated = Terminated(0, "Completed")
        return failure_of(self._end, [*self.containers, *self.init_containers], frozenset())

    def stop(self) -> None:
        """End the pod now."""
        self._stopped.set()

    def evict(self, reason: str) -> None:
        """Let the pod end as one that the machine cannot keep."""
        self._end = Failure(reason, event_pb2.Evicted, from_pod=True)

    def measure(self) -> Usage:
        """Return what it uses: nothing."""
        return Usage()


@dataclass
class SimulatedPods:
    """All simulated pods by the id of their job; does what :class:`~.pods.Pods` does, without processes."""

    config: Config
    simulation: Simulation
    _pods: dict[str, SimulatedPod] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.simulation.seed)
        self._space = LogSpace(self.config.log_limit_in_all)

    async def start(self) -> None:
        """Need nothing."""

    async def stop(self) -> None:
        """End every pod."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pods.clear()

    def run(self, job: Job, on_running: Callable[[], None], on_end: Callable[[Failure | None], None]) -> None:
        """Run a job's pod.

        :param on_running: called when its containers run
        :param on_end: called when it has ended by itself, with the failure if it has failed
        """
        pod = self._pods[job.id] = SimulatedPod(job, self.simulation, self._log)
        task = asyncio.get_running_loop().create_task(self._run(pod, on_running, on_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _log(self) -> ContainerLog:
        return ContainerLog(self.config.log_limit, self._space)

    async def _run(
        self, pod: SimulatedPod, on_running: Callable[[], None], on_end: Callable[[Failure | None], None]
    ) -> None:
        preemptible = self.config.priority_classes[pod.job.priority_class].preemptible
        try:
            plan = plan_for(pod.job.spec.annotations, self.simulation, self._chance, preemptible=preemptible)
        except ValueError as problem:
            on_end(Failure(f"{UNABLE_TO_START}{problem}", from_pod=True))
        else:
            on_end(await pod.run(plan, on_running))
        asyncio.get_running_loop().call_later(self.config.retention.pods, self._remove, pod)

    def _remove(self, pod: SimulatedPod) -> None:
        if self._pods.get(pod.job.id) is pod:
            del self._pods[pod.job.id]
        for container in pod.all_containers:
            container.log.clear()

    def delete(self, job: Job) -> None:
        """Delete a job's pod."""
        if pod := self._pods.get(job.id):
            pod.stop()
            self._remove(pod)

    def kill(self, job: Job) -> None:
        """Let a job's pod end as if its processes had been killed."""
        if pod := self._pods.get(job.id):
            pod.stop()

    def all(self) -> list[SimulatedPod]:
        """Return every pod, ended or not."""
        return list(self._pods.values())

    def get(self, job_id: str) -> SimulatedPod | None:
        """Return a job's pod if it still exists."""
        return self._pods.get(job_id)
