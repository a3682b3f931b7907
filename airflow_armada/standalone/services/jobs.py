"""``api.Jobs``: the query API, which sees the jobs as they were a moment ago."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_armada.api import job_pb2, methods, submit_pb2
from airflow_armada.standalone import clock
from airflow_armada.standalone.api_error import unknown
from airflow_armada.standalone.config import CLUSTER, NODE, POOL
from airflow_armada.standalone.ids import timestamp
from airflow_armada.standalone.runner.ingress import ingress_addresses
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job, Run

MAX_ITEMS = 500


class JobsService:
    """Handlers of ``api.Jobs``. Whoever is authenticated may ask about any job."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._store = access.engine.store

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.Jobs
        return {
            calls.GET_JOB_STATUS: self.get_job_status,
            calls.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI: self.get_job_status_using_external_job_uri,
            calls.GET_JOB_DETAILS: self.get_job_details,
            calls.GET_JOB_ERRORS: self.get_job_errors,
            calls.GET_JOB_RUN_DETAILS: self.get_job_run_details,
            calls.GET_ACTIVE_QUEUES: self.get_active_queues,
        }

    def _seen(self) -> float:
        """Return up to which epoch second the query API knows what happened."""
        return clock.time() - self._access.engine.config.query_lag - self._access.faults.query_lag

    def _visible(self, job_ids: Sequence[str], seen: float, what: str = "jobIds") -> list[tuple[Job, int]]:
        """Return the jobs that are known by now, each with its state then."""
        if len(job_ids) > MAX_ITEMS:
            raise unknown(f"request contained more than {MAX_ITEMS} {what}")
        jobs = (self._store.jobs.get(job_id) for job_id in dict.fromkeys(job_ids))
        states = ((job, job.state_at(seen)) for job in jobs if job)
        return [(job, state) for job, state in states if state is not None]

    def get_job_status(self, request: job_pb2.JobStatusRequest, caller: Caller) -> job_pb2.JobStatusResponse:
        response = job_pb2.JobStatusResponse()
        states = {job.id: state for job, state in self._visible(request.job_ids, self._seen())}
        for job_id in request.job_ids:
            response.job_states[job_id] = states.get(job_id, submit_pb2.UNKNOWN)  # type: ignore[assignment]
        return response

    def get_job_status_using_external_job_uri(
        self, request: job_pb2.JobStatusUsingExternalJobUriRequest, caller: Caller
    ) -> job_pb2.JobStatusResponse:
        if not request.external_job_uri:
            raise unknown("request must contain external job uri")
        response, seen = job_pb2.JobStatusResponse(), self._seen()
        for job in self._store.by_uri(request.queue, request.jobset, request.external_job_uri):
            state = job.state_at(seen)
            if state is not None:
                response.job_states[job.id] = state  # type: ignore[assignment]
        return response

    def get_job_details(self, request: job_pb2.JobDetailsRequest, caller: Caller) -> job_pb2.JobDetailsResponse:
        response, seen = job_pb2.JobDetailsResponse(), self._seen()
        for job, state in self._visible(request.job_ids, seen):
            details = response.job_details[job.id]
            details.CopyFrom(_details(job, state, seen))
            if request.expand_job_spec:
                details.job_spec.CopyFrom(job.spec)
            if request.expand_job_run:
                details.job_runs.extend(_run_details(job, run, seen) for run in reversed(_runs(job, seen)))
        return response

    def get_job_errors(self, request: job_pb2.JobErrorsRequest, caller: Caller) -> job_pb2.JobErrorsResponse:
        response, seen = job_pb2.JobErrorsResponse(), self._seen()
        for job, state in self._visible(request.job_ids, seen, "JobIds"):
            rejected = state == model.REJECTED
            over = [run for run in _runs(job, seen) if 0 < run.finished <= seen]
            response.job_errors[job.id] = job.error if rejected else over[-1].error if over else ""
        return response

    def get_job_run_details(
        self, request: job_pb2.JobRunDetailsRequest, caller: Caller
    ) -> job_pb2.JobRunDetailsResponse:
        if len(request.run_ids) > MAX_ITEMS:
            raise unknown(f"request contained more than {MAX_ITEMS} RunIds")
        response, seen = job_pb2.JobRunDetailsResponse(), self._seen()
        for run_id in request.run_ids:
            found = self._store.by_run(run_id)
            if found and found[1].leased <= seen:
                response.job_run_details[run_id].CopyFrom(_run_details(*found, seen))
        return response

    def get_active_queues(
        self, request: job_pb2.GetActiveQueuesRequest, caller: Caller
    ) -> job_pb2.GetActiveQueuesResponse:
        seen = self._seen()
        queues = {job.queue for job in self._store.live.values() if job.state_at(seen) in model.ACTIVE}
        response = job_pb2.GetActiveQueuesResponse()
        if queues:
            response.active_queues_by_pool[POOL].queues.extend(sorted(queues))
        return response


def _runs(job: Job, seen: float) -> list[Run]:
    return [run for run in job.runs if run.leased <= seen]


def _details(job: Job, state: int, seen: float) -> job_pb2.JobDetails:
    runs = _runs(job, seen)
    changed = max(since for since, _ in job.history if since <= seen)
    details = job_pb2.JobDetails(
        job_id=job.id,
        queue=job.queue,
        jobset=job.job_set_id,
        namespace=job.spec.namespace,
        state=state,  # type: ignore[arg-type]
        submitted_ts=job.spec.created,
        last_transition_ts=timestamp(changed),
        latest_run_id=runs[-1].id if runs else "",
    )
    if state == model.CANCELLED:
        details.cancel_ts.CopyFrom(timestamp(job.cancelled))
        details.cancel_user = job.cancel_user
    return details


def _run_details(job: Job, run: Run, seen: float) -> job_pb2.JobRunDetails:
    over, started = 0 < run.finished <= seen, 0 < run.started <= seen
    details = job_pb2.JobRunDetails(
        run_id=run.id,
        job_id=job.id,
        state=_run_state(run, over, started, seen),  # type: ignore[arg-type]
        cluster=CLUSTER,
        node=NODE if started else "",
        leased_ts=timestamp(run.leased),
        ingress_addresses=ingress_addresses(job) if started else {},
    )
    for field, epoch in (("pending_ts", run.pending), ("started_ts", run.started), ("finished_ts", run.finished)):
        if 0 < epoch <= seen:
            getattr(details, field).CopyFrom(timestamp(epoch))
    return details


def _run_state(run: Run, over: bool, started: bool, seen: float) -> int:
    if over:
        return run.end_state
    if started:
        return job_pb2.RUN_STATE_RUNNING
    return job_pb2.RUN_STATE_PENDING if 0 < run.pending <= seen else job_pb2.RUN_STATE_LEASED
