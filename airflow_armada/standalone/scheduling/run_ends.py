"""What becomes of a job when one of its runs is over: its end, or another run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_armada.api import job_pb2
from airflow_armada.api.submit_pb2 import RetryResourceBump
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.resource_amounts import pod_requests
from airflow_armada.standalone.runner.error_categories import read_error_categories
from airflow_armada.standalone.scheduling import retries
from airflow_armada.standalone.scheduling.retries import Verdict
from airflow_armada.standalone.scheduling.scheduler import Scheduler
from airflow_armada.standalone.scheduling.transitions import Transitions
from airflow_armada.standalone.store import event_messages
from airflow_armada.standalone.store.event_messages import INTERNAL, Failure
from airflow_armada.standalone.store.model import Job
from airflow_armada.standalone.store.queue_store import QueueStore

MAX_RUNS = "max-runs-exceeded"


class RunEnds:
    """Decides on ended runs.

    :param wait_again: lets a job whose run is over wait for another one
    """

    def __init__(
        self,
        config: Config,
        queues: QueueStore,
        scheduler: Scheduler,
        transitions: Transitions,
        wait_again: Callable[[Job], None],
    ) -> None:
        self._config = config
        self._queues = queues
        self._scheduler = scheduler
        self._transitions = transitions
        self._wait_again = wait_again
        self._categories = read_error_categories(config.error_categories)

    def pod_ended(self, job: Job, failure: Failure | None) -> None:
        """Take in that a job's pod has ended by itself.

        :param failure: why it failed, or None if it did not
        """
        if failure is None:
            self._transitions.succeed(job)
        elif failure.preempted:
            self._transitions.preempt(job, failure.reason)
        else:
            self.failed(job, self._categories.classify(failure))

    def failed(self, job: Job, failure: Failure) -> None:
        """Take in that a job's run has failed."""
        verdict = self._verdict(job, failure)
        if verdict is None:
            self._transitions.fail(job, failure)
        elif verdict.retry:
            self._transitions.retry(job, failure)
            self._wait_again(job)
        else:
            self._transitions.fail(job, failure, retries.declined(failure, verdict.reason))

    def lease_returned(self, job: Job, reason: str, run_attempted: bool, *, has_pod: bool = True) -> None:
        """Take in that the cluster has given a job back: it runs again, or fails if it has had its share of attempts.

        :param run_attempted: whether the run counts as an attempt
        :param has_pod: whether its pod had been made
        """
        self._transitions.end_run(job, job_pb2.RUNS_STATE_LEASE_RETURNED, reason)
        self._transitions.say(job, event_messages.lease_returned(job, reason, run_attempted, has_pod=has_pod))
        fail_fast = retries.opted_out(job)
        attempts = job.count_attempt(run_attempted)
        if not fail_fast and attempts < self._config.lease_attempts:
            self._wait_again(job)
            return
        why = "Job has fail fast flag set" if fail_fast else f"Maximum number of attempts ({attempts}) reached"
        text = f"{why} - this job will no longer be retried\n\nFinal run error:\n{reason}"
        told = Failure(text, category=INTERNAL, subcategory=MAX_RUNS)
        self._transitions.fail(job, Failure(reason), told)

    def lease_expired(self, job: Job) -> None:
        """Take in that the cluster has been lost for too long: the job fails, or runs again if a policy lets it."""
        self._transitions.end_run(job, job_pb2.RUN_STATE_LEASE_EXPIRED, "Lease expired")
        self._transitions.say(job, event_messages.lease_expired(job))
        failure = Failure("Lease expired", category=INTERNAL, subcategory="lease-expired")
        verdict = self._verdict(job, failure, mutate=False)
        if verdict is not None and verdict.retry:
            self._transitions.say(job, event_messages.failed(job, failure, retryable=True))
            self._wait_again(job)
            return
        if verdict is not None:
            failure = replace(failure, reason=f"Lease expired and not retried by policy: {verdict.reason}")
        self._transitions.fail(job, failure)

    def _verdict(self, job: Job, failure: Failure, *, mutate: bool = True) -> Verdict | None:
        """Count a failed run and return what its queue's retry policy says, or None if there is none for the job.

        :param mutate: whether the policy may change the job for its next run
        """
        job.failures += 1
        policy = self._queues.retry_policy(job.queue)
        if policy is None or retries.opted_out(job):
            return None
        verdict = retries.evaluate(policy, failure, job.failures, self._config.max_retries)
        if not verdict.retry or not mutate:
            return verdict
        if verdict.mutation.resources.HasField("memory") and not self._grow(job, verdict.mutation.resources.memory):
            return Verdict(retry=False, reason=retries.GROWN_TOO_LARGE)
        # There is one node, and it has been tried.
        avoided = verdict.mutation.affinity.avoid_same_node
        return Verdict(retry=False, reason=retries.NO_UNTRIED_NODE) if avoided else verdict

    def _grow(self, job: Job, bump: RetryResourceBump) -> bool:
        """Give a job more memory for its next run, and return whether it still fits."""
        spec = retries.grown(job.pod_spec, bump)
        requests = pod_requests(spec)
        if not self._scheduler.could_fit(requests):
            return False
        self._scheduler.release(job)
        job.grown, job.requests = spec, requests
        return True
