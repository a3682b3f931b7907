"""Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from airflow_armada.api import job_pb2
from airflow_armada.api import scheduler_reporting_pb2 as reporting_pb2
from airflow_armada.api.methods import Jobs, SchedulerReporting
from airflow_armada.client.calls import Call
from airflow_armada.client.messages import MAX_QUERY_IDS, by_count

AnswerT = TypeVar("AnswerT", bound=Message)


def get_job_status(job_ids: Iterable[str]) -> Call[job_pb2.JobStatusResponse]:
    requests = (job_pb2.JobStatusRequest(job_ids=part) for part in _parts(job_ids))
    return Call(Jobs.GET_JOB_STATUS, tuple(requests), _joined(job_pb2.JobStatusResponse))


def get_job_status_by_external_job_uri(
    queue: str, job_set_id: str, external_job_uri: str
) -> Call[job_pb2.JobStatusResponse]:
    request = job_pb2.JobStatusUsingExternalJobUriRequest(
        queue=queue, jobset=job_set_id, external_job_uri=external_job_uri
    )
    return Call(Jobs.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI, (request,))


def get_job_errors(job_ids: Iterable[str]) -> Call[job_pb2.JobErrorsResponse]:
    requests = (job_pb2.JobErrorsRequest(job_ids=part) for part in _parts(job_ids))
    return Call(Jobs.GET_JOB_ERRORS, tuple(requests), _joined(job_pb2.JobErrorsResponse))


def get_job_details(
    job_ids: Iterable[str], *, expand_job_spec: bool = False, expand_job_run: bool = True
) -> Call[job_pb2.JobDetailsResponse]:
    requests = (
        job_pb2.JobDetailsRequest(job_ids=part, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        for part in _parts(job_ids)
    )
    return Call(Jobs.GET_JOB_DETAILS, tuple(requests), _joined(job_pb2.JobDetailsResponse))


def get_job_run_details(run_ids: Iterable[str]) -> Call[job_pb2.JobRunDetailsResponse]:
    requests = (job_pb2.JobRunDetailsRequest(run_ids=part) for part in _parts(run_ids))
    return Call(Jobs.GET_JOB_RUN_DETAILS, tuple(requests), _joined(job_pb2.JobRunDetailsResponse))


def get_active_queues() -> Call[job_pb2.GetActiveQueuesResponse]:
    return Call(Jobs.GET_ACTIVE_QUEUES, (job_pb2.GetActiveQueuesRequest(),))


def get_job_report(job_id: str) -> Call[str]:
    return Call(SchedulerReporting.GET_JOB_REPORT, (reporting_pb2.JobReportRequest(job_id=job_id),), _report)


def get_queue_report(queue: str, verbosity: int = 0) -> Call[str]:
    request = reporting_pb2.QueueReportRequest(queue_name=queue, verbosity=verbosity)
    return Call(SchedulerReporting.GET_QUEUE_REPORT, (request,), _report)


def get_scheduling_report(*, queue: str = "", job_id: str = "", verbosity: int = 0) -> Call[str]:
    if queue and job_id:
        raise ValueError("a scheduling report is for a queue or for a job, not for both")
    request = reporting_pb2.SchedulingReportRequest(verbosity=verbosity)
    if queue:
        request.most_recent_for_queue.queue_name = queue
    if job_id:
        request.most_recent_for_job.job_id = job_id
    return Call(SchedulerReporting.GET_SCHEDULING_REPORT, (request,), _report)


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
