"""The steps of a job's life, each with the events, the account and the pod that belong to it."""

from __future__ import annotations

from airflow_armada.api import event_pb2, job_pb2
from airflow_armada.standalone import clock
from airflow_armada.standalone.runner.ingress import ingress_addresses
from airflow_armada.standalone.runner.pods import Pods
from airflow_armada.standalone.runner.simulation import SimulatedPods
from airflow_armada.standalone.scheduling.scheduler import Scheduler
from airflow_armada.standalone.store import event_messages, model
from airflow_armada.standalone.store.event_messages import INTERNAL, Failure
from airflow_armada.standalone.store.job_store import JobStore
from airflow_armada.standalone.store.model import Job, Run
from airflow_armada.standalone.store.outbox import Outbox


class Transitions:
    """Takes jobs from state to state.

    Events are gathered in the outbox; whoever calls flushes it.
    """

    def __init__(self, store: JobStore, scheduler: Scheduler, pods: Pods | SimulatedPods, outbox: Outbox) -> None:
        self._store = store
        self._scheduler = scheduler
        self._pods = pods
        self._outbox = outbox

    def say(self, job: Job, *said: event_pb2.EventMessage) -> None:
        """Gather events of a job."""
        self._outbox.put(job.queue, job.job_set_id, *said)

    def submit(self, job: Job) -> None:
        """Take in a new job."""
        job.enter(model.QUEUED)
        self._store.add(job)
        self.say(job, event_messages.submitted(job), event_messages.queued(job))

    def lease(self, job: Job) -> Run:
        """Give a job to the cluster, which takes it at once; its pod is still to be made."""
        run = Run()
        self._store.add_run(job, run)
        job.enter(model.LEASED)
        self.say(job, event_messages.leased(job))
        self._outbox.flush()
        return run

    def make_pod(self, job: Job) -> None:
        """Note that a job's pod has been made."""
        job.run.pending = clock.time()
        job.enter(model.PENDING)
        self.say(job, event_messages.pending(job))

    def run(self, job: Job) -> None:
        """Note that a job's containers run."""
        job.run.started = clock.time()
        job.enter(model.RUNNING)
        self.say(job, event_messages.running(job))
        if addresses := ingress_addresses(job):
            self.say(job, event_messages.ingress_info(job, addresses))

    def succeed(self, job: Job) -> None:
        """End a job well."""
        self.end_run(job, job_pb2.RUN_STATE_SUCCEEDED)
        self.say(job, event_messages.succeeded(job))
        self._finish(job, model.SUCCEEDED)

    def fail(self, job: Job, failure: Failure, told: Failure | None = None) -> None:
        """End a job with a failure.

        :param told: how the event tells it, if that is otherwise than the run's own error
        """
        self.end_run(job, job_pb2.RUN_STATE_FAILED, failure.reason)
        job.error = failure.reason
        self.say(job, event_messages.failed(job, told or failure))
        self._finish(job, model.FAILED)

    def retry(self, job: Job, failure: Failure) -> None:
        """End a run with a failure that is not the end of its job."""
        self.end_run(job, job_pb2.RUN_STATE_FAILED, failure.reason)
        self.say(job, event_messages.failed(job, failure, retryable=True))

    def reject(self, job: Job, problem: str) -> None:
        """End a job that can never run."""
        job.error = problem
        self.say(job, event_messages.failed(job, Failure(problem, event_pb2.Rejected, INTERNAL, "job-rejected")))
        self._finish(job, model.REJECTED)

    def cancel(self, job: Job, user: str, *, announce: bool) -> None:
        """End a job because somebody wants it.

        :param announce: whether the wish itself is still to be told
        """
        if announce:
            self.say(job, event_messages.cancelling(job.id, job.job_set_id, job.queue, user))
        job.cancel_user, job.cancelled = user, clock.time()
        self.say(job, event_messages.cancelled(job, user))
        self.end_run(job, job_pb2.RUN_STATE_UNKNOWN)
        self._finish(job, model.CANCELLED)
        self._pods.delete(job)

    def preempt(self, job: Job, reason: str, *, by_job: str = "", by_user: str = "") -> None:
        """End an active job to make room or because somebody wants it."""
        if job.state not in model.ACTIVE:
            return
        job.error = reason
        self.say(
            job,
            event_messages.preempted(job, reason, by_job=by_job, by_user=by_user),
            event_messages.failed(job, Failure(reason)),
        )
        self.end_run(job, job_pb2.RUN_STATE_PREEMPTED, reason)
        self._finish(job, model.PREEMPTED)
        self._pods.delete(job)

    def requeue(self, job: Job) -> None:
        """Let a job whose run is over wait for another one; no event says so."""
        self._scheduler.release(job)
        self._pods.delete(job)
        job.enter(model.QUEUED)

    def end_run(self, job: Job, state: int, error: str = "") -> None:
        """Note that a job's newest run is over, unless it already was.

        :param state: a value of ``job_pb2.JobRunState``
        """
        if job.runs and not job.run.finished:
            job.run.finished, job.run.end_state, job.run.error = clock.time(), state, error

    def _finish(self, job: Job, state: int) -> None:
        job.enter(state)
        self._scheduler.release(job)
        self._store.ended(job)
