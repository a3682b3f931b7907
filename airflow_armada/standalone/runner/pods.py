"""The machine as a Kubernetes node: the pods that run on it, and those that have ended and still have their logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from airflow_armada.standalone.config import Config
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.container_log import ContainerLog, LogSpace
from airflow_armada.standalone.runner.pod import Pod
from airflow_armada.standalone.runner.processes import Processes
from airflow_armada.standalone.runner.work_folder import WorkFolder
from airflow_armada.standalone.store.event_messages import INTERNAL, Failure
from airflow_armada.standalone.store.model import Job


class Pods:
    """All pods by the id of their job.

    :param folder: where pods have their private folders
    """

    def __init__(self, config: Config, folder: WorkFolder) -> None:
        self._config = config
        self._folder = folder.pods
        self._space = LogSpace(config.log_limit_in_all)
        self._processes = Processes(folder.path if folder.temporary else None)
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Get ready to run pods."""
        await self._processes.start()

    async def stop(self) -> None:
        """Kill every process and delete every pod."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await self._processes.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pod in self._pods.values():
            pod.remove()
        self._pods.clear()

    def run(self, job: Job, on_running: Callable[[], None], on_end: Callable[[Failure | None], None]) -> None:
        """Run a job's pod.

        :param on_running: called when its containers run
        :param on_end: called when it has ended by itself, with the failure if it has failed
        """
        pod = Pod(job, self._processes, self._folder / job.run.pod_id, self._log, self._config.provided)
        self._pods[job.id] = pod
        self._background(self._run(pod, on_running, on_end))

    def _log(self) -> ContainerLog:
        return ContainerLog(self._config.log_limit, self._space)

    async def _run(self, pod: Pod, on_running: Callable[[], None], on_end: Callable[[Failure | None], None]) -> None:
        await self._processes.start()
        try:
            failure = await pod.run(on_running)
        except Exception as error:
            # Whatever it was: a job whose pod is not watched any more would wait for ever.
            await pod.stop(0)
            failure = Failure(f"Unable to start pod - {error}", category=INTERNAL, subcategory="job-creation-failed")
        on_end(failure)
        pod.remove()
        asyncio.get_running_loop().call_later(self._config.retention.pods, self._remove, pod)

    def delete(self, job: Job) -> None:
        """Delete a job's pod: its processes get SIGTERM now, SIGKILL after the grace period."""
        if pod := self._pods.get(job.id):
            self._background(self._delete(pod))

    async def _delete(self, pod: Pod) -> None:
        await pod.stop(pod.job.pod_spec.terminationGracePeriodSeconds)
        self._remove(pod)

    def _remove(self, pod: Pod) -> None:
        if self._pods.get(pod.job.id) is pod:
            del self._pods[pod.job.id]
        pod.remove()
        pod.forget_logs()

    def kill(self, job: Job) -> None:
        """Kill a job's processes and let its pod end by itself."""
        if pod := self._pods.get(job.id):
            self._background(pod.stop(0))

    def run_out_of_memory(self, container: RunningContainer) -> None:
        """End a container as the kernel ends what has no memory left."""
        container.run_out_of_memory(self._processes)

    def all(self) -> list[Pod]:
        """Return every pod, ended or not."""
        return list(self._pods.values())

    def get(self, job_id: str) -> Pod | None:
        """Return a job's pod if it still exists."""
        return self._pods.get(job_id)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
