"""What happens to running pods by the clock: reports of what they use, and eviction of those that fill the disk."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from fractions import Fraction

from airflow_armada.standalone import clock
from airflow_armada.standalone.resource_amounts import amounts
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.pod import Pod
from airflow_armada.standalone.runner.pods import Pods
from airflow_armada.standalone.runner.volumes import folder_size
from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.store import event_messages, model

INTERVAL = 1.0
STORAGE = "ephemeral-storage"
FILLED = "Pod ephemeral local storage usage exceeds the total limit of containers"


@dataclass
class _Period:
    """What a run used since its last report.

    :param since: monotonic seconds
    :param samples: bytes of memory, as seen
    """

    since: float = field(default_factory=clock.monotonic)
    cpu_before: float = 0.0
    samples: list[int] = field(default_factory=list)


class Watchdog:
    """Looks at the running pods in regular intervals."""

    def __init__(self, engine: Engine, pods: Pods) -> None:
        self._engine = engine
        self._pods = pods
        self._periods: dict[str, _Period] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            pods = [pod for pod in self._pods.all() if pod.job.state == model.RUNNING]
            for pod in pods:
                self._measure(pod)
            for container in await asyncio.to_thread(_out_of_memory, pods):
                self._pods.run_out_of_memory(container)
            for pod, reason in await asyncio.to_thread(_to_evict, pods, self._engine.config.disk_left):
                self._engine.evict(pod.job, reason)
            self._forget({pod.job.run.id for pod in pods})

    def _measure(self, pod: Pod) -> None:
        period = self._periods.setdefault(pod.job.run.id, _Period())
        usage = pod.measure()
        period.samples.append(usage.memory)
        seconds = clock.monotonic() - period.since
        if seconds < self._engine.config.utilisation_interval:
            return
        cores = f"{max(0.0, usage.cpu_seconds - period.cpu_before) / seconds * 1000:.0f}m"
        said = event_messages.utilisation(
            pod.job,
            maximum={"cpu": cores, "memory": str(max(period.samples))},
            average={"cpu": cores, "memory": str(sum(period.samples) // len(period.samples))},
            cumulative={"cpu": f"{usage.cpu_seconds * 1000:.0f}m"},
        )
        self._engine.bus.post(lambda: self._engine.report(pod.job, said))
        self._periods[pod.job.run.id] = _Period(cpu_before=usage.cpu_seconds)

    def _forget(self, running: set[str]) -> None:
        for run_id in self._periods.keys() - running:
            del self._periods[run_id]


def _out_of_memory(pods: list[Pod]) -> list[RunningContainer]:
    return [container for pod in pods for container in pod.full_memory()]


def _to_evict(pods: list[Pod], disk_left: float) -> list[tuple[Pod, str]]:
    """Return the pods that fill more than they may, or else the one that fills most of a disk that is full."""
    sizes = {pod: folder_size(pod.folder) for pod in pods}
    volumes = {pod: pod.volumes.overfull() for pod in pods if pod.volumes}
    own = [(pod, reason) for pod, reason in volumes.items() if reason]
    own += [(pod, FILLED) for pod, size in sizes.items() if size > _storage_limit(pod) and not volumes.get(pod)]
    if own or not sizes:
        return own
    largest = max(sizes, key=lambda pod: sizes[pod])
    try:
        disk = shutil.disk_usage(largest.folder)
    except OSError:
        return []
    full = disk.free < disk.total * disk_left and sizes[largest] > 2**20
    return [(largest, "The node was low on resource: ephemeral-storage.")] if full else []


def _storage_limit(pod: Pod) -> Fraction:
    limits = [amounts(container.spec.resources.limits) for container in pod.containers]
    return sum((limit.get(STORAGE, Fraction(0)) for limit in limits), Fraction(0))
