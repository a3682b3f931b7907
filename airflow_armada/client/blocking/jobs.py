"""Submitting, cancelling, preempting and reprioritizing jobs: the methods for blocking code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import empty_pb2, health_pb2, submit_pb2
from airflow_armada.client.drivers import Driver
from airflow_armada.client.operations import jobs as operations
from airflow_armada.client.typings import JobState


class JobMethods:
    """Submitting, cancelling, preempting and reprioritizing jobs."""

    _driver: Driver

    def submit_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the submit service whether it serves; passes through authentication, so it checks credentials too."""
        return self._driver.run(operations.submit_health())

    def event_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the event service whether it serves."""
        return self._driver.run(operations.event_health())

    def submit_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_request_items: Iterable[submit_pb2.JobSubmitRequestItem],
        *,
        trust_client_ids: bool = True,
    ) -> submit_pb2.JobSubmitResponse:
        """Submit jobs, in as many requests as the server's limit of 4 MiB asks for.

        A lost answer is asked for again only if every item has a ``client_id``, by which the server knows it again.

        :param queue: the queue
        :param job_set_id: the job set, a name of your choice for jobs that belong together
        :param job_request_items: made by ``create_job_request_item``
        :param trust_client_ids: false if a lost answer is to be raised instead, so that the caller can look for the
            jobs: a server that fails right after publishing them does not know their client ids
        :return: one item with a job id for each item of the request, in the same order
        :raises ArmadaRpcError: when a request is refused; its ``partial`` answers those before it, whose jobs exist
        """
        return self._driver.run(
            operations.submit_jobs(queue, job_set_id, job_request_items, trust_client_ids=trust_client_ids)
        )

    def cancel_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_id: str | None = None,
        *,
        job_ids: Iterable[str] | None = None,
        reason: str = "",
    ) -> submit_pb2.CancellationResult:
        """Cancel jobs by id. The server answers before it acts, and does not check that the ids exist.

        With neither ``job_id`` nor ``job_ids`` it cancels the whole job set, and warns: better call ``cancel_jobset``.

        :param queue: the queue
        :param job_set_id: the job set; with a wrong one nothing happens
        :param job_id: one job id
        :param job_ids: several job ids
        :param reason: at most 50 bytes
        :return: the ids that were asked for; empty for a whole job set
        :raises ValueError: when an id is empty or the list of ids is, or the reason is too long
        """
        return self._driver.run(operations.cancel_jobs(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))

    def cancel_jobset(
        self, queue: str, job_set_id: str, filter_states: Iterable[JobState], *, reason: str = ""
    ) -> empty_pb2.Empty:
        """Cancel the jobs of a job set that exist when the server comes to it.

        The server only tells queued jobs from all others, so PENDING or RUNNING alone stands for both and for LEASED.

        :param queue: the queue
        :param job_set_id: the job set
        :param filter_states: any of QUEUED, PENDING and RUNNING; none for all jobs
        :param reason: at most 50 bytes
        :return: an empty message
        :raises ValueError: for any other state, which the server would take for QUEUED
        """
        return self._driver.run(operations.cancel_jobset(queue, job_set_id, filter_states, reason=reason))

    def reprioritize_jobs(
        self, new_priority: float, job_ids: list[str] | None, job_set_id: str, queue: str
    ) -> submit_pb2.JobReprioritizeResponse:
        """Change the priority of jobs.

        :param new_priority: a lower one is scheduled earlier within the queue
        :param job_ids: the jobs; None or an empty list for all of the job set
        :param job_set_id: the job set
        :param queue: the queue
        :return: a map whose keys are the job ids
        """
        return self._driver.run(operations.reprioritize_jobs(new_priority, job_ids, job_set_id, queue))

    def preempt_jobs(
        self, queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
    ) -> submit_pb2.PreemptionResult:
        """Preempt jobs: takes effect on running jobs of a preemptible priority class only.

        :param queue: the queue
        :param job_set_id: the job set
        :param job_id: one job id, or None with ``job_ids``
        :param job_ids: several job ids
        :param reason: at most 50 bytes, shown in the job's events
        :return: a map whose keys are the job ids
        :raises ValueError: when no id is given, or the reason is too long
        """
        return self._driver.run(operations.preempt_jobs(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))
