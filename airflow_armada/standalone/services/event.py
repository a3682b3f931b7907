"""``api.Event``: the streams of job sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc

from airflow_armada.api import event_pb2, methods
from airflow_armada.standalone.api_error import ApiError, unknown
from airflow_armada.standalone.services.access import Access, Caller, Denied
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.services.stream_faults import StreamFaults
from airflow_armada.standalone.services.submit import health
from airflow_armada.standalone.store.event_log import JobSetLog
from airflow_armada.standalone.store.message_id import Position, parse_message_id

BATCH = 500


class EventService:
    """Handlers of ``api.Event``; they yield messages as they are stored, serialized."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.Event
        return {calls.GET_JOB_SET_EVENTS: self.get_job_set_events, calls.WATCH: self.watch, calls.HEALTH: health}

    def watch(self, request: event_pb2.WatchRequest, caller: Caller) -> AsyncIterator[bytes]:
        return self.get_job_set_events(
            event_pb2.JobSetRequest(
                id=request.job_set_id,
                watch=True,
                from_message_id=request.from_id,
                queue=request.queue,
                errorIfMissing=True,
            ),
            caller,
        )

    async def get_job_set_events(self, request: event_pb2.JobSetRequest, caller: Caller) -> AsyncIterator[bytes]:
        position = self._admit(request, caller)
        log = self._access.engine.events.open(request.queue, request.id)
        end = log.newest
        faults = StreamFaults(self._access.faults)
        while not faults.closes():
            positions, events = ([], []) if faults.silent else _read(log, position)
            for position, event in zip(positions, events, strict=True):
                faults.before_message()
                yield event
                if not request.watch and position >= end:
                    return
            if not request.watch and not events:
                return
            if events:
                await asyncio.sleep(0)
            else:
                await faults.wait(log)

    def _admit(self, request: event_pb2.JobSetRequest, caller: Caller) -> Position:
        """Check a request as Armada does, and return where its reading begins."""
        if self._access.engine.queues.get(request.queue) is None:
            raise ApiError(grpc.StatusCode.NOT_FOUND, f"[GetJobSetEvents] Queue {request.queue} does not exist")
        try:
            self._access.authorize_on_queue(caller, request.queue, "watch_all_events", "watch")
        except Denied as denied:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"[GetJobSetEvents] error getting events for queue: {request.queue}, job set: {request.id}: {denied}",
            ) from None
        position = _parse(request)
        if request.errorIfMissing and not self._access.engine.events.exists(request.queue, request.id):
            raise ApiError(
                grpc.StatusCode.NOT_FOUND,
                f"[GetJobSetEvents] Jobset {request.id} for queue {request.queue} does not exist",
            )
        return position


def _parse(request: event_pb2.JobSetRequest) -> Position:
    try:
        return parse_message_id(request.from_message_id)
    except ValueError as error:
        raise unknown(
            f"Could not convert legacy message id over to new message id for request for queue {request.queue}, "
            f"jobset {request.id}: {error}"
        ) from None


def _read(log: JobSetLog, position: Position) -> tuple[list[Position], list[bytes]]:
    start = log.index_after(position)
    return log.positions[start : start + BATCH], log.events[start : start + BATCH]
