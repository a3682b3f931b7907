"""``schedulerobjects.SchedulerReporting``: the scheduler's own words on who runs, who waits, and why."""

from __future__ import annotations

import grpc

from airflow_armada.api import methods, scheduler_reporting_pb2
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.config import CLUSTER, POOL
from airflow_armada.standalone.ids import is_ulid
from airflow_armada.standalone.resource_amounts import display
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job


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
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"{request.job_id} is not a valid job id")
        return scheduler_reporting_pb2.JobReport(report=self._job(request.job_id))

    def _job(self, job_id: str) -> str:
        job = self._access.engine.store.jobs.get(job_id)
        if job is None:
            return f"Job {job_id} is not known to the scheduler."
        if job.state != model.QUEUED:
            return (
                f"Job {job_id} does not wait: it was scheduled on cluster {CLUSTER}."
                if job.runs
                else (f"Job {job_id} does not wait: it has ended.")
            )
        return f"Job {job_id} waits in queue {job.queue}: {self._reason(job)}."

    def _reason(self, job: Job) -> str:
        queue = self._access.engine.queues.get(job.queue)
        if queue is None:
            return "the queue does not exist any more"
        if queue.cordoned:
            return "the queue is cordoned"
        unit = self._scheduler.backlog.unit_of(job)
        if unit is None:
            return self._missing_members(job)
        ahead = sum(len(other.jobs) for other in self._scheduler.backlog.waiting(job.queue) if other.order < unit.order)
        shortage = self._scheduler.blocked.get(unit.shape, "the next scheduling round decides")
        return f"{shortage}; {ahead} jobs of the queue go before it"

    def _missing_members(self, job: Job) -> str:
        if job.gang is None:
            return "the next scheduling round decides"
        there = len(self._scheduler.backlog.gang_members(job))
        return f"its gang {job.gang.id} has {there} of {job.gang.cardinality} members"

    def get_queue_report(
        self, request: scheduler_reporting_pb2.QueueReportRequest, caller: Caller
    ) -> scheduler_reporting_pb2.QueueReport:
        return scheduler_reporting_pb2.QueueReport(report=self._queue(request.queue_name))

    def _queue(self, name: str) -> str:
        waiting = sum(len(unit.jobs) for unit in self._scheduler.backlog.waiting(name))
        running = sum(1 for job in self._scheduler.holders.values() if job.queue == name)
        share = float(self._scheduler.share(name))
        return f"Queue {name}: {running} jobs run, {waiting} wait; it uses {share:.0%} of the machine."

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
        return scheduler_reporting_pb2.SchedulingReport(report=self._everything())

    def _everything(self) -> str:
        free, capacity = self._scheduler.free(), self._scheduler.capacity
        machine = ", ".join(
            f"{display(name, free[name])} of {display(name, capacity[name])} free" for name in ("cpu", "memory")
        )
        queues = sorted({queue.name for queue in self._access.engine.queues.sorted()})
        return "\n".join([f"Pool {POOL}: {machine}.", *map(self._queue, queues)])
