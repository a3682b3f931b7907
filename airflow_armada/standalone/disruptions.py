"""What can happen to a job on a real fleet and does not happen by itself on one machine; for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.event_messages import INTERNAL, Failure
from airflow_armada.standalone.store.model import Job

ResultT = TypeVar("ResultT")


class Caller(Protocol):
    """What runs work on the server's event loop."""

    def __call__(self, work: Callable[[Engine], ResultT], /) -> ResultT: ...


class Disruptions:
    """Disturbs jobs, from any thread.

    Every method but :meth:`prune_job` and :meth:`forget_events` needs a job that has been leased and has not ended.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def return_lease(self, job_id: str, reason: str = "pod could not be started", run_attempted: bool = True) -> None:
        """Let the cluster give a job back: it runs again, or fails if it has had its share of attempts."""
        self._call(lambda engine: engine.return_lease(_active(engine, job_id), reason, run_attempted))

    def expire_lease(self, job_id: str) -> None:
        """Let the cluster be lost for too long: the job fails, if no retry policy lets it run again."""
        self._call(lambda engine: engine.expire_lease(_active(engine, job_id)))

    def fail_run(self, job_id: str, reason: str = "pod failed", category: str = "transient") -> None:
        """Let a run fail in a way that a retry policy grants another run for."""
        failure = Failure(reason, category=category, from_pod=True)
        self._call(lambda engine: engine.fail_run(_active(engine, job_id), failure))

    def evict(self, job_id: str, reason: str = "The node was low on resource: memory.") -> None:
        """Let Kubernetes evict a job's pod."""
        self._call(lambda engine: engine.evict(_active(engine, job_id), reason))

    def delete_pod(self, job_id: str) -> None:
        """Let somebody else delete a job's pod: the job fails."""
        self._call(lambda engine: _delete_pod(engine, _active(engine, job_id)))

    def forget_events(self, queue: str, job_set_id: str) -> None:
        """Drop a job set's event history, as when it has expired."""
        self._call(lambda engine: engine.events.forget(queue, job_set_id))

    def prune_job(self, job_id: str) -> None:
        """Drop an ended job from the query API, as when it has expired."""
        self._call(lambda engine: engine.store.prune(job_id))


def _active(engine: Engine, job_id: str) -> Job:
    job = engine.store.jobs.get(job_id)
    if job is None or job.state not in model.ACTIVE:
        raise ValueError(f"job {job_id} is not one that has been leased and has not ended")
    return job


def _delete_pod(engine: Engine, job: Job) -> None:
    text = "Pod was unexpectedly deleted"
    engine.fail_at_once(job, Failure(text, category=INTERNAL, subcategory="externally-deleted", from_pod=True))
