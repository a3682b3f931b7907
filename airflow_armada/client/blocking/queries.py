"""Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons, for blocking code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import job_pb2
from airflow_armada.client.drivers import Driver
from airflow_armada.client.operations import queries as operations


class QueryMethods:
    """Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

    _driver: Driver

    def get_job_status(self, job_ids: Iterable[str]) -> job_pb2.JobStatusResponse:
        """Ask for the states of jobs. A job that the query database does not know, perhaps not yet, is UNKNOWN.

        :param job_ids: any number of job ids; they are asked for 500 at a time
        :return: a map from job id to state
        """
        return self._driver.run(operations.get_job_status(job_ids))

    def get_job_status_by_external_job_uri(
        self, queue: str, job_set_id: str, external_job_uri: str
    ) -> job_pb2.JobStatusResponse:
        """Ask for the states of the jobs that were submitted with an external job URI.

        :param queue: the queue
        :param job_set_id: the job set
        :param external_job_uri: the URI
        :return: a map from job id to state, empty when there is none
        """
        return self._driver.run(operations.get_job_status_by_external_job_uri(queue, job_set_id, external_job_uri))

    def get_job_errors(self, job_ids: Iterable[str]) -> job_pb2.JobErrorsResponse:
        """Ask why jobs failed.

        :param job_ids: any number of job ids; they are asked for 500 at a time
        :return: a map from job id to text, without the ids that are not known
        """
        return self._driver.run(operations.get_job_errors(job_ids))

    def get_job_details(
        self, job_ids: Iterable[str], *, expand_job_spec: bool = False, expand_job_run: bool = True
    ) -> job_pb2.JobDetailsResponse:
        """Ask for all that is known of jobs.

        :param job_ids: any number of job ids; they are asked for 500 at a time
        :param expand_job_spec: include the job as it was submitted
        :param expand_job_run: include its runs, newest first
        :return: a map from job id to details, without the ids that are not known
        """
        return self._driver.run(
            operations.get_job_details(job_ids, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        )

    def get_job_run_details(self, run_ids: Iterable[str]) -> job_pb2.JobRunDetailsResponse:
        """Ask for all that is known of runs of jobs.

        :param run_ids: any number of run ids; they are asked for 500 at a time
        :return: a map from run id to details, without the ids that are not known
        """
        return self._driver.run(operations.get_job_run_details(run_ids))

    def get_active_queues(self) -> job_pb2.GetActiveQueuesResponse:
        """Ask which queues have jobs leased, pending or running.

        :return: a map from pool to queues
        """
        return self._driver.run(operations.get_active_queues())

    def get_job_report(self, job_id: str) -> str:
        """Ask the scheduler what it thought of a job in its recent rounds: why it waits.

        :param job_id: the job
        :return: text for people
        """
        return self._driver.run(operations.get_job_report(job_id))

    def get_queue_report(self, queue: str, verbosity: int = 0) -> str:
        """Ask the scheduler what it did with a queue in its recent rounds.

        :param queue: the queue
        :param verbosity: a higher one gives more
        :return: text for people
        """
        return self._driver.run(operations.get_queue_report(queue, verbosity))

    def get_scheduling_report(self, *, queue: str = "", job_id: str = "", verbosity: int = 0) -> str:
        """Ask the scheduler about its recent rounds.

        :param queue: only the latest round that this queue took part in
        :param job_id: only the latest round that this job took part in
        :param verbosity: a higher one gives more
        :return: text for people
        :raises ValueError: when both a queue and a job are given
        """
        return self._driver.run(operations.get_scheduling_report(queue=queue, job_id=job_id, verbosity=verbosity))
