"""``schedulerobjects.SchedulerReporting``: the scheduler's reports on its rounds, on queues and on jobs."""

from __future__ import annotations

import grpc

from airflow_armada.api import methods, scheduler_reporting_pb2
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.ids import is_ulid
from airflow_armada.standalone.scheduling.reports import (
    DOES_NOT_FIT,
    GANG_DOES_NOT_FIT,
    job_report,
    queue_report,
    round_report,
)
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.store import model


class ReportingService:
    """Handlers of ``schedulerobjects.SchedulerReporting``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._scheduler = access.engine.scheduler

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.SchedulerReporting
        return {
            calls.GET_SCHEDULING_REPORT: self.get_scheduling_report,
            calls.GET_QUEUE_REPORT: self.get_queue_report,
            calls.GET_JOB_REPORT: self.get_job_report,
        }

    def get_job_report(
        self, request: scheduler_reporting_pb2.JobReportRequest, caller: Caller
    ) -> scheduler_reporting_pb2.JobReport:
        if not is_ulid(request.job_id):
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"{request.job_id} is not a valid jobId")
        return scheduler_reporting_pb2.JobReport(report=self._job(request.job_id))

    def _job(self, job_id: str) -> str:
        job = self._access.engine.store.jobs.get(job_id)
        last = self._scheduler.last
        if job is None or last is None:
            return job_report(job_id, 0.0, "", "")
        if job.state != model.QUEUED:
            return job_report(job_id, last.started if job in last.leased else 0.0, "", "")
        unit = self._scheduler.backlog.unit_of(job)
        shortage = self._scheduler.blocked.get(unit.shape) if unit else None
        if unit is None or shortage is None:
            return job_report(job_id, 0.0, "", "")
        return job_report(job_id, last.started, GANG_DOES_NOT_FIT if job.gang else DOES_NOT_FIT, shortage)

    def get_queue_report(
        self, request: scheduler_reporting_pb2.QueueReportRequest, caller: Caller
    ) -> scheduler_reporting_pb2.QueueReport:
        return scheduler_reporting_pb2.QueueReport(report=self._queue(request.queue_name))

    def _queue(self, name: str) -> str:
        running = [job for job in self._scheduler.holders.values() if job.queue == name]
        return queue_report(name, self._scheduler.last_by_queue.get(name), running)

    def get_scheduling_report(
        self, request: scheduler_reporting_pb2.SchedulingReportRequest, caller: Caller
    ) -> scheduler_reporting_pb2.SchedulingReport:
        which = request.WhichOneof("filter")
        if which == "most_recent_for_job":
            return scheduler_reporting_pb2.SchedulingReport(report=self._job(request.most_recent_for_job.job_id))
        if which == "most_recent_for_queue":
            return scheduler_reporting_pb2.SchedulingReport(
                report=self._queue(request.most_recent_for_queue.queue_name)
            )
        report = round_report(self._scheduler.last, self._scheduler.capacity)
        return scheduler_reporting_pb2.SchedulingReport(report=report)
