"""All known jobs, with the indexes that the calls need, bounded by retention."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from airflow_armada.standalone import clock
from airflow_armada.standalone.config import Retention
from airflow_armada.standalone.store.model import Job, Run


class JobStore:
    """Jobs by id, by job set, by client id, by external URI and by run."""

    def __init__(self, retention: Retention) -> None:
        self.jobs: dict[str, Job] = {}
        self.live: dict[str, Job] = {}
        self._live_by_set: dict[tuple[str, str], dict[str, Job]] = {}
        self._by_client_id: dict[tuple[str, str], tuple[str, float]] = {}
        self._by_uri: dict[tuple[str, str, str], list[str]] = {}
        self._by_run: dict[str, Job] = {}
        self._ended: deque[tuple[float, Job]] = deque()
        self._retention = retention

    def add(self, job: Job) -> None:
        """Take in a submitted job."""
        self.jobs[job.id] = self.live[job.id] = job
        self._live_by_set.setdefault((job.queue, job.job_set_id), {})[job.id] = job
        if job.external_uri:
            self._by_uri.setdefault((job.queue, job.job_set_id, job.external_uri), []).append(job.id)

    def add_run(self, job: Job, run: Run) -> None:
        """Take in a job's new run."""
        job.runs.append(run)
        self._by_run[run.id] = job

    def ended(self, job: Job) -> None:
        """Note that a job has reached a terminal state."""
        self.live.pop(job.id, None)
        members = self._live_by_set.get((job.queue, job.job_set_id), {})
        members.pop(job.id, None)
        if not members:
            self._live_by_set.pop((job.queue, job.job_set_id), None)
        self._ended.append((clock.time(), job))

    def live_in(self, queue: str, job_set_id: str) -> list[Job]:
        """Return a job set's jobs that have not ended."""
        return list(self._live_by_set.get((queue, job_set_id), {}).values())

    def match(self, queue: str, job_set_id: str, job_ids: Iterable[str]) -> list[Job]:
        """Return those of the named jobs that live in exactly this queue and job set."""
        members = self._live_by_set.get((queue, job_set_id), {})
        return [members[job_id] for job_id in job_ids if job_id in members]

    def by_run(self, run_id: str) -> tuple[Job, Run] | None:
        """Return a run and its job by the run's id."""
        job = self._by_run.get(run_id)
        return (job, next(run for run in job.runs if run.id == run_id)) if job else None

    def by_uri(self, queue: str, job_set_id: str, uri: str) -> list[Job]:
        """Return a job set's jobs with an external URI."""
        ids = self._by_uri.get((queue, job_set_id, uri), [])
        return [self.jobs[job_id] for job_id in ids if job_id in self.jobs]

    def original(self, queue: str, client_id: str) -> str | None:
        """Return the id of the job that a client id was used for."""
        found = self._by_client_id.get((queue, client_id))
        return found[0] if found else None

    def remember_client_id(self, queue: str, client_id: str, job_id: str) -> None:
        """Let a client id stand for a job; the first one wins."""
        self._by_client_id.setdefault((queue, client_id), (job_id, clock.time()))

    def prune(self, job_id: str) -> None:
        """Forget an ended job."""
        job = self.jobs.get(job_id)
        if job is None or not job.finished:
            return
        del self.jobs[job_id]
        for run in job.runs:
            self._by_run.pop(run.id, None)
        key = (job.queue, job.job_set_id, job.external_uri)
        left = [other for other in self._by_uri.get(key, []) if other != job_id]
        if left:
            self._by_uri[key] = left
        else:
            self._by_uri.pop(key, None)

    def apply_retention(self) -> None:
        """Forget what is older than it may be."""
        now = clock.time()
        horizon, most = now - self._retention.jobs, self._retention.finished_jobs
        while self._ended and (self._ended[0][0] < horizon or len(self._ended) > most):
            self.prune(self._ended.popleft()[1].id)
        oldest = now - self._retention.deduplication
        for key in [key for key, (_, stored) in self._by_client_id.items() if stored < oldest]:
            del self._by_client_id[key]
