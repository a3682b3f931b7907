"""``api.QueueService``: queues, and what can be done to all jobs of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import grpc

from airflow_armada.api import empty_pb2, methods, submit_pb2
from airflow_armada.api.submit_pb2 import Queue
from airflow_armada.standalone.api_error import ApiError, unknown
from airflow_armada.standalone.config import POOL
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job, Request
from airflow_armada.standalone.store.queue_store import InvalidQueue, UnknownRetryPolicies

ACTIVE_STATES = frozenset({submit_pb2.QUEUED, submit_pb2.LEASED, submit_pb2.PENDING, submit_pb2.RUNNING})


class QueueService:
    """Handlers of ``api.QueueService``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._queues = access.engine.queues

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.QueueService
        return {
            calls.CREATE_QUEUE: self.create_queue,
            calls.CREATE_QUEUES: self.create_queues,
            calls.UPDATE_QUEUE: self.update_queue,
            calls.UPDATE_QUEUES: self.update_queues,
            calls.DELETE_QUEUE: self.delete_queue,
            calls.GET_QUEUE: self.get_queue,
            calls.GET_QUEUES: self.get_queues,
            calls.CORDON_QUEUE: self.cordon_queue,
            calls.UNCORDON_QUEUE: self.uncordon_queue,
            calls.PREEMPT_ON_QUEUE: self.preempt_on_queue,
            calls.CANCEL_ON_QUEUE: self.cancel_on_queue,
        }

    def create_queue(self, queue: Queue, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "create_queue", f"creating queue {queue.name}")
        if not queue.user_owners:
            queue.user_owners.append(caller.name)
        return self._put(queue, "creating", "error validating queue")

    def update_queue(self, queue: Queue, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "create_queue", f"updating queue {queue.name}")
        return self._put(queue, "updating", "error")

    def _put(self, queue: Queue, doing: str, prefix: str) -> empty_pb2.Empty:
        try:
            self._queues.put(queue)
        except UnknownRetryPolicies as problem:
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"error {doing} queue: {problem}") from None
        except InvalidQueue as problem:
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"{prefix}: {problem}") from None
        self._access.engine.wake()
        return empty_pb2.Empty()

    def create_queues(self, queues: submit_pb2.QueueList, caller: Caller) -> submit_pb2.BatchQueueCreateResponse:
        response = submit_pb2.BatchQueueCreateResponse()
        for queue in queues.queues:
            try:
                self.create_queue(queue, caller)
            except ApiError as error:
                response.failed_queues.append(submit_pb2.QueueCreateResponse(queue=queue, error=_go_text(error)))
        return response

    def update_queues(self, queues: submit_pb2.QueueList, caller: Caller) -> submit_pb2.BatchQueueUpdateResponse:
        response = submit_pb2.BatchQueueUpdateResponse()
        for queue in queues.queues:
            try:
                self.update_queue(queue, caller)
            except ApiError as error:
                response.failed_queues.append(submit_pb2.QueueUpdateResponse(queue=queue, error=_go_text(error)))
        return response

    def delete_queue(self, request: submit_pb2.QueueDeleteRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "delete_queue", f"deleting queue {request.name}")
        self._queues.delete(request.name)
        return empty_pb2.Empty()

    def get_queue(self, request: submit_pb2.QueueGetRequest, caller: Caller) -> Queue:
        queue = self._queues.get(request.name)
        if queue is None:
            raise ApiError(grpc.StatusCode.NOT_FOUND, f'error: could not find queue "{request.name}"')
        return queue

    async def get_queues(
        self, request: submit_pb2.StreamingQueueGetRequest, caller: Caller
    ) -> AsyncIterator[submit_pb2.StreamingQueueMessage]:
        queues = self._queues.sorted()
        for queue in queues[: request.num or len(queues)]:
            yield submit_pb2.StreamingQueueMessage(queue=queue)
        yield submit_pb2.StreamingQueueMessage(end=submit_pb2.EndMarker())

    def cordon_queue(self, request: submit_pb2.QueueCordonRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cordon_queue", f"cordoning queue {request.name}")
        return self._set_cordoned(request.name, True, "cordon")

    def uncordon_queue(self, request: submit_pb2.QueueUncordonRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cordon_queue", f"uncordoning queue {request.name}")
        return self._set_cordoned(request.name, False, "uncordon")

    def _set_cordoned(self, name: str, cordoned: bool, verb: str) -> empty_pb2.Empty:
        if not name:
            raise unknown(f"cannot {verb} queue with empty name")
        queue = self._queues.get(name)
        if queue is None:
            raise unknown(f'could not find queue "{name}"')
        queue.cordoned = cordoned
        self._access.engine.wake()
        return empty_pb2.Empty()

    async def preempt_on_queue(self, request: submit_pb2.QueuePreemptRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "preempt_any_jobs", f"preempting jobs on queue {request.name}")
        if not request.name:
            raise unknown("cannot preempt jobs on queue with empty name")
        engine, wish = self._access.engine, Request(caller.name, "", in_bulk=True)
        await engine.bus.publish(lambda: engine.request_preempt_jobs(self._to_preempt(request), wish))
        return empty_pb2.Empty()

    def _to_preempt(self, request: submit_pb2.QueuePreemptRequest) -> list[Job]:
        return [
            job
            for job in self._live(request.name, request.priorityClasses)
            if job.state in model.ACTIVE and _in_pools(request.pools)
        ]

    async def cancel_on_queue(self, request: submit_pb2.QueueCancelRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cancel_any_jobs", f"cancelling jobs on queue {request.name}")
        if not request.name:
            raise unknown("cannot cancel jobs on queue with empty name")
        if not ACTIVE_STATES.issuperset(request.jobStates):
            raise unknown("provided job states must be non-terminal")
        engine, wish = self._access.engine, Request(caller.name, "", in_bulk=True)
        await engine.bus.publish(lambda: engine.request_cancel_jobs(self._to_cancel(request), wish))
        return empty_pb2.Empty()

    def _to_cancel(self, request: submit_pb2.QueueCancelRequest) -> list[Job]:
        return [
            job
            for job in self._live(request.name, request.priorityClasses)
            if job.state in request.jobStates and (job.state == model.QUEUED or _in_pools(request.pools))
        ]

    def _live(self, queue: str, priority_classes: Collection[str]) -> list[Job]:
        jobs = self._access.engine.store.live.values()
        return [
            job
            for job in jobs
            if job.queue == queue and (not priority_classes or job.priority_class in priority_classes)
        ]


def _in_pools(pools: Collection[str]) -> bool:
    return not pools or POOL in pools


def _go_text(error: ApiError) -> str:
    """Return an error as a batch response shows it: Go's rendering of a gRPC status."""
    code = "".join(word.capitalize() for word in error.code.name.split("_"))
    return f"rpc error: code = {code} desc = {error.text}"
