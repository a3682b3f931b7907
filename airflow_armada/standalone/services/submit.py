"""``api.Submit``: submitting, cancelling, preempting and reprioritizing jobs."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc

from airflow_armada.api import empty_pb2, health_pb2, methods, submit_pb2
from airflow_armada.standalone.api_error import ApiError, invalid_field, unknown
from airflow_armada.standalone.ids import UlidSource
from airflow_armada.standalone.services.access import Access, Caller, Denied
from airflow_armada.standalone.services.queue import QueueService
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.services.submit_defaults import accept, clamp_priority
from airflow_armada.standalone.services.submit_rules import InvalidRequest, check_request
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job, Request

MAX_REASON = 50
# How many jobs are accepted before other calls get their turn.
SLICE = 200


class SubmitService:
    """Handlers of ``api.Submit``."""

    def __init__(self, access: Access, queues: QueueService) -> None:
        self._access = access
        self._engine = access.engine
        self._queues = queues
        self._new_id = UlidSource()
        self._serial = 0

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.Submit
        return {
            calls.SUBMIT_JOBS: self.submit_jobs,
            calls.CANCEL_JOBS: self.cancel_jobs,
            calls.CANCEL_JOB_SET: self.cancel_job_set,
            calls.REPRIORITIZE_JOBS: self.reprioritize_jobs,
            calls.PREEMPT_JOBS: self.preempt_jobs,
            calls.HEALTH: health,
            calls.CREATE_QUEUE: self._queues.create_queue,
            calls.CREATE_QUEUES: self._queues.create_queues,
            calls.UPDATE_QUEUE: self._queues.update_queue,
            calls.UPDATE_QUEUES: self._queues.update_queues,
            calls.DELETE_QUEUE: self._queues.delete_queue,
            calls.GET_QUEUE: self._queues.get_queue,
            calls.GET_QUEUES: self._queues.get_queues,
        }

    async def submit_jobs(self, request: submit_pb2.JobSubmitRequest, caller: Caller) -> submit_pb2.JobSubmitResponse:
        try:
            self._access.authorize_on_queue(caller, request.queue, "submit_any_jobs", "submit")
        except Denied as denied:
            raise ApiError(grpc.StatusCode.PERMISSION_DENIED, str(denied)) from None
        try:
            check_request(request, self._engine.config.priority_classes)
        except InvalidRequest as problem:
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, str(problem)) from None
        ids = await self._accept_all(request, caller.name)
        return submit_pb2.JobSubmitResponse(
            job_response_items=[submit_pb2.JobSubmitResponseItem(job_id=job_id) for job_id in ids]
        )

    async def _accept_all(self, request: submit_pb2.JobSubmitRequest, owner: str) -> list[str]:
        """Accept every item; client ids are remembered at the end, so one that is used twice makes two jobs."""
        ids: list[str] = []
        client_ids: dict[str, str] = {}
        items = request.job_request_items
        originals = [self._original(request.queue, item.client_id) for item in items]
        for start in range(0, len(items), SLICE):
            jobs: list[Job] = []
            for item, original in zip(items[start : start + SLICE], originals[start : start + SLICE], strict=True):
                if original is None:
                    jobs.append(self._accept(item, request, owner))
                    client_ids[item.client_id] = jobs[-1].id
                ids.append(original or jobs[-1].id)
            self._engine.bus.post(partial(self._engine.submit, jobs))
            if start + SLICE < len(items):
                await asyncio.sleep(0)
        await self._engine.bus.available()
        self._remember(request.queue, client_ids)
        return ids

    def _original(self, queue: str, client_id: str) -> str | None:
        return self._engine.store.original(queue, client_id) if client_id else None

    def _accept(self, item: submit_pb2.JobSubmitRequestItem, request: submit_pb2.JobSubmitRequest, owner: str) -> Job:
        self._serial += 1
        return accept(item, request.queue, request.job_set_id, owner, self._new_id(), self._serial)

    def _remember(self, queue: str, client_ids: dict[str, str]) -> None:
        if self._access.faults.forget_client_ids:
            return
        for client_id, job_id in client_ids.items():
            if client_id:
                self._engine.store.remember_client_id(queue, client_id, job_id)

    async def cancel_jobs(self, request: submit_pb2.JobCancelRequest, caller: Caller) -> submit_pb2.CancellationResult:
        _check_reason(request.reason)
        ids = list(dict.fromkeys([*request.job_ids, *([request.job_id] if request.job_id else [])]))
        if not ids:
            await self.cancel_job_set(
                submit_pb2.JobSetCancelRequest(
                    queue=request.queue, job_set_id=request.job_set_id, reason=request.reason
                ),
                caller,
            )
            return submit_pb2.CancellationResult(cancelled_ids=[""])
        self._authorize(caller, request.queue, request.job_set_id, "cancel")
        wish = Request(caller.name, request.reason)
        engine = self._engine
        await engine.bus.publish(lambda: engine.request_cancel(request.queue, request.job_set_id, ids, wish))
        return submit_pb2.CancellationResult(cancelled_ids=ids)

    async def cancel_job_set(self, request: submit_pb2.JobSetCancelRequest, caller: Caller) -> empty_pb2.Empty:
        _check_reason(request.reason)
        _check_target(request.queue, request.job_set_id)
        states: set[int] = set(request.filter.states)
        if (submit_pb2.PENDING in states) != (submit_pb2.RUNNING in states):
            raise unknown("unsupported state combination - state PENDING and RUNNING must always be used together")
        self._authorize(caller, request.queue, request.job_set_id, "cancel")
        engine, wish = self._engine, Request(caller.name, request.reason)

        def cancel() -> None:
            jobs = engine.store.live_in(request.queue, request.job_set_id)
            engine.request_cancel_jobs([job for job in jobs if _selected(job, states)], wish)

        await engine.bus.publish(cancel)
        return empty_pb2.Empty()

    async def preempt_jobs(self, request: submit_pb2.JobPreemptRequest, caller: Caller) -> submit_pb2.PreemptionResult:
        _check_reason(request.reason)
        self._authorize(caller, request.queue, request.job_set_id, "preempt")
        engine, wish = self._engine, Request(caller.name, request.reason)
        await engine.bus.publish(
            lambda: engine.request_preempt(request.queue, request.job_set_id, request.job_ids, wish)
        )
        return submit_pb2.PreemptionResult(preemption_results=dict.fromkeys(request.job_ids, ""))

    async def reprioritize_jobs(
        self, request: submit_pb2.JobReprioritizeRequest, caller: Caller
    ) -> submit_pb2.JobReprioritizeResponse:
        queue, job_set_id, ids = request.queue, request.job_set_id, list(request.job_ids)
        self._authorize(caller, queue, job_set_id, "reprioritize")
        priority = clamp_priority(request.new_priority)
        engine, user = self._engine, caller.name

        def reprioritize() -> None:
            if ids:
                engine.request_reprioritize(queue, job_set_id, ids, priority, user)
            else:
                engine.reprioritize_jobs(engine.store.live_in(queue, job_set_id), priority, user)

        await engine.bus.publish(reprioritize)
        return _reprioritized(ids or [f"all jobs in job set {job_set_id}"])

    def _authorize(self, caller: Caller, queue: str, job_set_id: str, verb: str) -> None:
        _check_target(queue, job_set_id)
        try:
            self._access.authorize_on_queue(caller, queue, f"{verb}_any_jobs", verb)
        except Denied as denied:
            raise unknown(str(denied)) from None


def _reprioritized(keys: list[str]) -> submit_pb2.JobReprioritizeResponse:
    return submit_pb2.JobReprioritizeResponse(reprioritization_results=dict.fromkeys(keys, ""))


def _check_reason(reason: str) -> None:
    content = reason.encode()
    if len(content) > MAX_REASON:
        start = content[:MAX_REASON].decode(errors="ignore")
        raise invalid_field("Reason", start + "...", f"reason cannot be longer than {MAX_REASON} bytes")


def _check_target(queue: str, job_set_id: str) -> None:
    if not queue:
        raise invalid_field("Queue", queue, "queue cannot be empty")
    if not job_set_id:
        raise invalid_field("JobSetId", job_set_id, "jobset cannot be empty")


def _selected(job: Job, states: set[int]) -> bool:
    """Return whether a filter's states take in a job; states that the filter does not know count as QUEUED."""
    if not states:
        return True
    active = states & {submit_pb2.PENDING, submit_pb2.RUNNING}
    others = states - active
    return bool(others if job.state == model.QUEUED else active)


def health(request: empty_pb2.Empty, caller: Caller) -> health_pb2.HealthCheckResponse:
    """Answer a Health call; whoever gets here has been authenticated."""
    return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
