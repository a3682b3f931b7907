"""Asking whether the server serves, for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from airflow_armada.api import empty_pb2, health_pb2, job_pb2
from airflow_armada.api import scheduler_reporting_pb2 as reporting_pb2
from airflow_armada.api.methods import Event, Jobs, SchedulerReporting, Submit
from airflow_armada.client.calls.call import READS, Call
from airflow_armada.client.calls.drivers import AsyncDriver, Driver
from airflow_armada.client.calls.messages import MAX_QUERY_IDS, by_count

AnswerT = TypeVar("AnswerT", bound=Message)


def submit_health_call() -> Call[health_pb2.HealthCheckResponse]:
    return Call(Submit.HEALTH, (empty_pb2.Empty(),), repeatable=READS)


def event_health_call() -> Call[health_pb2.HealthCheckResponse]:
    return Call(Event.HEALTH, (empty_pb2.Empty(),), repeatable=READS)


def get_job_status_call(job_ids: Iterable[str]) -> Call[job_pb2.JobStatusResponse]:
    requests = (job_pb2.JobStatusRequest(job_ids=part) for part in _parts(job_ids))
    return Call(Jobs.GET_JOB_STATUS, tuple(requests), _joined(job_pb2.JobStatusResponse), repeatable=READS)


def get_job_status_by_external_job_uri_call(
    queue: str, job_set_id: str, external_job_uri: str
) -> Call[job_pb2.JobStatusResponse]:
    request = job_pb2.JobStatusUsingExternalJobUriRequest(
        queue=queue, jobset=job_set_id, external_job_uri=external_job_uri
    )
    return Call(Jobs.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI, (request,), repeatable=READS)


def get_job_errors_call(job_ids: Iterable[str]) -> Call[job_pb2.JobErrorsResponse]:
    requests = (job_pb2.JobErrorsRequest(job_ids=part) for part in _parts(job_ids))
    return Call(Jobs.GET_JOB_ERRORS, tuple(requests), _joined(job_pb2.JobErrorsResponse), repeatable=READS)


def get_job_details_call(
    job_ids: Iterable[str], *, expand_job_spec: bool = False, expand_job_run: bool = True
) -> Call[job_pb2.JobDetailsResponse]:
    requests = (
        job_pb2.JobDetailsRequest(job_ids=part, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        for part in _parts(job_ids)
    )
    return Call(Jobs.GET_JOB_DETAILS, tuple(requests), _joined(job_pb2.JobDetailsResponse), repeatable=READS)


def get_job_run_details_call(run_ids: Iterable[str]) -> Call[job_pb2.JobRunDetailsResponse]:
    requests = (job_pb2.JobRunDetailsRequest(run_ids=part) for part in _parts(run_ids))
    return Call(Jobs.GET_JOB_RUN_DETAILS, tuple(requests), _joined(job_pb2.JobRunDetailsResponse), repeatable=READS)


def get_active_queues_call() -> Call[job_pb2.GetActiveQueuesResponse]:
    return Call(Jobs.GET_ACTIVE_QUEUES, (job_pb2.GetActiveQueuesRequest(),), repeatable=READS)


def get_job_report_call(job_id: str) -> Call[str]:
    request = reporting_pb2.JobReportRequest(job_id=job_id)
    return Call(SchedulerReporting.GET_JOB_REPORT, (request,), _report, repeatable=READS)


def get_queue_report_call(queue: str, verbosity: int = 0) -> Call[str]:
    request = reporting_pb2.QueueReportRequest(queue_name=queue, verbosity=verbosity)
    return Call(SchedulerReporting.GET_QUEUE_REPORT, (request,), _report, repeatable=READS)


def get_scheduling_report_call(*, queue: str = "", job_id: str = "", verbosity: int = 0) -> Call[str]:
    if queue and job_id:
        raise ValueError("a scheduling report is for a queue or for a job, not for both")
    request = reporting_pb2.SchedulingReportRequest(verbosity=verbosity)
    if queue:
        request.most_recent_for_queue.queue_name = queue
    if job_id:
        request.most_recent_for_job.job_id = job_id
    return Call(SchedulerReporting.GET_SCHEDULING_REPORT, (request,), _report, repeatable=READS)


def _report(answers: Sequence[Any]) -> str:
    report: str = answers[0].report
    return report


def _parts(ids: Iterable[str]) -> Iterable[Sequence[str]]:
    if isinstance(ids, str):
        raise TypeError(f"expected a list of ids, not the string {ids!r}")
    return by_count(list(dict.fromkeys(ids)), MAX_QUERY_IDS)


def _joined(kind: type[AnswerT]) -> Callable[[Sequence[Any]], AnswerT]:
    def join(answers: Sequence[Any]) -> AnswerT:
        result = kind()
        for answer in answers:
            result.MergeFrom(answer)
        return result

    return join


class QueryMethods:
    """Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

    _driver: Driver

    def submit_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the submit service whether it serves; passes through authentication, so it checks credentials too."""
        return self._driver.run(submit_health_call())

    def event_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the event service whether it serves."""
        return self._driver.run(event_health_call())

    def get_job_status(self, job_ids: Iterable[str]) -> job_pb2.JobStatusResponse:
        """Ask for the states of jobs. A job that the query database does not know, perhaps not yet, is UNKNOWN.

        :param job_ids: any number of job ids; they are asked for 500 at a time
        :return: a map from job id to state
        """
        return self._driver.run(get_job_status_call(job_ids))

    def get_job_status_by_external_job_uri(
        self, queue: str, job_set_id: str, external_job_uri: str
    ) -> job_pb2.JobStatusResponse:
        """Ask for the states of the jobs that were submitted with an external job URI.

        :param queue: the queue
        :param job_set_id: the job set
        :param external_job_uri: the URI
        :return: a map from job id to state, empty when there is none
        """
        return self._driver.run(get_job_status_by_external_job_uri_call(queue, job_set_id, external_job_uri))

    def get_job_errors(self, job_ids: Iterable[str]) -> job_pb2.JobErrorsResponse:
        """Ask why jobs failed.

        :param job_ids: any number of job ids; they are asked for 500 at a time
        :return: a map from job id to text, without the ids that are not known
        """
        return self._driver.run(get_job_errors_call(job_ids))

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
            get_job_details_call(job_ids, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        )

    def get_job_run_details(self, run_ids: Iterable[str]) -> job_pb2.JobRunDetailsResponse:
        """Ask for all that is known of runs of jobs.

        :param run_ids: any number of run ids; they are asked for 500 at a time
        :return: a map from run id to details, without the ids that are not known
        """
        return self._driver.run(get_job_run_details_call(run_ids))

    def get_active_queues(self) -> job_pb2.GetActiveQueuesResponse:
        """Ask which queues have jobs leased, pending or running.

        :return: a map from pool to queues
        """
        return self._driver.run(get_active_queues_call())

    def get_job_report(self, job_id: str) -> str:
        """Ask the scheduler what it thought of a job in its recent rounds: why it waits.

        :param job_id: the job
        :return: text for people
        """
        return self._driver.run(get_job_report_call(job_id))

    def get_queue_report(self, queue: str, verbosity: int = 0) -> str:
        """Ask the scheduler what it did with a queue in its recent rounds.

        :param queue: the queue
        :param verbosity: a higher one gives more
        :return: text for people
        """
        return self._driver.run(get_queue_report_call(queue, verbosity))

    def get_scheduling_report(self, *, queue: str = "", job_id: str = "", verbosity: int = 0) -> str:
        """Ask the scheduler about its recent rounds.

        :param queue: only the latest round that this queue took part in
        :param job_id: only the latest round that this job took part in
        :param verbosity: a higher one gives more
        :return: text for people
        :raises ValueError: when both a queue and a job are given
        """
        return self._driver.run(get_scheduling_report_call(queue=queue, job_id=job_id, verbosity=verbosity))


class AsyncQueryMethods:
    """Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

    _driver: AsyncDriver

    async def submit_health(self) -> health_pb2.HealthCheckResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.submit_health`."""
        return await self._driver.run(submit_health_call())

    async def event_health(self) -> health_pb2.HealthCheckResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.event_health`."""
        return await self._driver.run(event_health_call())

    async def get_job_status(self, job_ids: Iterable[str]) -> job_pb2.JobStatusResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_status`."""
        return await self._driver.run(get_job_status_call(job_ids))

    async def get_job_status_by_external_job_uri(
        self, queue: str, job_set_id: str, external_job_uri: str
    ) -> job_pb2.JobStatusResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_status_by_external_job_uri`."""
        return await self._driver.run(get_job_status_by_external_job_uri_call(queue, job_set_id, external_job_uri))

    async def get_job_errors(self, job_ids: Iterable[str]) -> job_pb2.JobErrorsResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_errors`."""
        return await self._driver.run(get_job_errors_call(job_ids))

    async def get_job_details(
        self, job_ids: Iterable[str], *, expand_job_spec: bool = False, expand_job_run: bool = True
    ) -> job_pb2.JobDetailsResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_details`."""
        return await self._driver.run(
            get_job_details_call(job_ids, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        )

    async def get_job_run_details(self, run_ids: Iterable[str]) -> job_pb2.JobRunDetailsResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_run_details`."""
        return await self._driver.run(get_job_run_details_call(run_ids))

    async def get_active_queues(self) -> job_pb2.GetActiveQueuesResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_active_queues`."""
        return await self._driver.run(get_active_queues_call())

    async def get_job_report(self, job_id: str) -> str:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_job_report`."""
        return await self._driver.run(get_job_report_call(job_id))

    async def get_queue_report(self, queue: str, verbosity: int = 0) -> str:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_queue_report`."""
        return await self._driver.run(get_queue_report_call(queue, verbosity))

    async def get_scheduling_report(self, *, queue: str = "", job_id: str = "", verbosity: int = 0) -> str:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_scheduling_report`."""
        return await self._driver.run(get_scheduling_report_call(queue=queue, job_id=job_id, verbosity=verbosity))
