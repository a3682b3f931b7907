"""An Armada server whose jobs do what a test says, on a real socket.

It keeps the rules that a follower leans on: message ids begin with a time, a stream begins after the id it is given, a
watched stream is silent while nothing happens, the query API knows only what it was told, and the log service gives
lines from a whole second on.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from airflow_armada.api import (
    binoculars_pb2,
    event_pb2,
    job_pb2,
    methods,
    scheduler_reporting_pb2,
    submit_pb2,
    timestamp_pb2,
)
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.timestamps import nanoseconds

EVENTS = methods.Event.GET_JOB_SET_EVENTS.path
DETAILS = methods.Jobs.GET_JOB_DETAILS.path
LOGS = methods.Binoculars.LOGS.path


def stamp(moment: float | None = None) -> Any:
    moment = time.time() if moment is None else moment
    return timestamp_pb2.Timestamp(seconds=int(moment), nanos=int(moment % 1 * 1e9))


class ScriptedArmada:
    """Use :func:`scripted_armada` to run one."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: Counter[str] = Counter()
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.streams = 0
        self.refusals: dict[str, list[tuple[grpc.StatusCode, str]]] = defaultdict(list)
        self.details: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        self.reports: dict[str, str] = {}
        self.queue_reports: dict[str, str] = {}
        self.cordoned: set[str] = set()
        self.logs: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
        self.page_bytes = 2_000_000
        self.token = ""
        self.stuck: set[str] = set()
        self._history: dict[tuple[str, str], list[tuple[tuple[int, ...], Any]]] = defaultdict(list)
        self._news = asyncio.Event()
        self._generation = 0
        self._server: Any = None

    # What a test does with it.

    def settings(self, **kwargs: Any) -> SiteSettings:
        target = f"127.0.0.1:{self.port}"
        return SiteSettings(**{"target": target, "tls": None, "binoculars": target} | kwargs)

    def emit(self, queue: str, job_set_id: str, job_id: str, kind: str, at: float | None = None, **fields: Any) -> None:
        """Append an event to a job set."""
        moment = time.time() if at is None else at
        message = event_pb2.EventMessage()
        event = getattr(message, kind)
        event.SetInParent()
        fields = {"created": stamp(moment), **fields}
        event.MergeFrom(type(event)(job_id=job_id, job_set_id=job_set_id, queue=queue, **fields))
        history = self._history[queue, job_set_id]
        milliseconds = int(moment * 1000)
        sequence = history[-1][0][1] + 1 if history and history[-1][0][0] == milliseconds else 0
        history.append(((milliseconds, sequence, 0), message))
        self._wake()

    def emit_raw(self, queue: str, job_set_id: str, raw: bytes) -> None:
        """Append something to a job set that is sent as it is."""
        self._history[queue, job_set_id].append(((int(time.time() * 1000), 9, 0), raw))
        self._wake()

    def replay(self, messages: Iterable[Any], at: float | None = None) -> None:
        """Append recorded messages to their job sets, as if they had been stored at a time."""
        for message in messages:
            body = getattr(message.message, message.message.WhichOneof("events"))
            history = self._history[body.queue, body.job_set_id]
            history.append(((int((time.time() if at is None else at) * 1000), len(history), 0), message.message))
        self._wake()

    def know(self, job_id: str, state: str, at: float | None = None) -> Any:
        """Let the query API know a job in a state, with a run where the state has one."""
        details = job_pb2.JobDetails(job_id=job_id, state=state, submitted_ts=stamp(at), last_transition_ts=stamp(at))
        if state not in ("QUEUED", "SUBMITTED", "REJECTED"):
            details.latest_run_id = "run-1"
            details.job_runs.add(run_id="run-1", cluster="c1", node="n1", leased_ts=stamp(at), pending_ts=stamp(at))
            if state != "PENDING":
                details.job_runs[0].started_ts.CopyFrom(stamp(at))
        self.details[job_id] = details
        return details

    def finish(self, job_id: str, state: str, at: float | None = None) -> None:
        """Let the query API know a job that has ended."""
        details = self.know(job_id, state, at)
        for run in details.job_runs:
            run.finished_ts.CopyFrom(stamp(at))

    def drop_streams(self) -> None:
        """End all open streams with OK, as a proxy may do."""
        self._generation += 1
        self._wake()

    def refuse(self, path: str, code: grpc.StatusCode, text: str, times: int = 1_000_000) -> None:
        """Answer the next calls of a method with an error."""
        self.refusals[path] = [(code, text)] * times

    def accept(self, path: str) -> None:
        """Refuse a method no longer."""
        self.refusals.pop(path, None)

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    # The service.

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _handlers(self) -> Any:
        jobs, event, reporting = methods.Jobs, methods.Event, methods.SchedulerReporting
        unary: dict[methods.Method[Any, Any], Any] = {
            jobs.GET_JOB_DETAILS: self._get_details,
            jobs.GET_JOB_ERRORS: self._get_errors,
            reporting.GET_JOB_REPORT: self._get_report,
            reporting.GET_QUEUE_REPORT: self._get_queue_report,
            methods.Submit.GET_QUEUE: self._get_queue,
            methods.QueueService.GET_QUEUE: self._get_queue,
            methods.Binoculars.LOGS: self._get_logs,
        }
        handlers = {
            method.path: grpc.unary_unary_rpc_method_handler(
                self._counted(method.path, answer), method.request.FromString, method.response.SerializeToString
            )
            for method, answer in unary.items()
        }
        handlers[EVENTS] = grpc.unary_stream_rpc_method_handler(
            self._get_events,
            event.GET_JOB_SET_EVENTS.request.FromString,
            lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
        )
        return _Handler(handlers)

    def _counted(self, path: str, answer: Any) -> Any:
        async def serve(request: Any, context: Any) -> Any:
            await self._count(path, request, context)
            return await answer(request, context)

        return serve

    async def _count(self, path: str, request: Any, context: Any) -> None:
        self.calls[path] += 1
        self.requests[path].append(request)
        metadata = dict(context.invocation_metadata())
        if self.token and metadata.get("authorization", "").lower() != f"bearer {self.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid token")
        if self.refusals.get(path):
            await context.abort(*self.refusals[path].pop(0))

    async def _get_events(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._count(EVENTS, request, context)
        after = tuple(int(part) for part in request.from_message_id.split(":")[:3]) if request.from_message_id else ()
        generation = self._generation
        if request.id in self.stuck:
            await asyncio.sleep(3600)
        self.streams += 1
        try:
            sent = 0
            while generation == self._generation:
                news = self._news
                history = self._history.get((request.queue, request.id), [])
                for key, message in history[sent:]:
                    if key > after:
                        if isinstance(message, bytes):
                            yield message
                        else:
                            yield event_pb2.EventStreamMessage(id=":".join(map(str, (*key, 1))), message=message)
                sent = len(history)
                if not request.watch:
                    return
                await news.wait()
        finally:
            self.streams -= 1

    async def _get_details(self, request: Any, context: Any) -> Any:
        if len(request.job_ids) > 500:
            await context.abort(grpc.StatusCode.UNKNOWN, "request contained more than 500 jobIds")
        found = {job_id: self.details[job_id] for job_id in request.job_ids if job_id in self.details}
        return job_pb2.JobDetailsResponse(job_details=found)

    async def _get_errors(self, request: Any, context: Any) -> Any:
        return job_pb2.JobErrorsResponse(job_errors={key: self.errors.get(key, "") for key in request.job_ids})

    async def _get_report(self, request: Any, context: Any) -> Any:
        return scheduler_reporting_pb2.JobReport(report=self.reports.get(request.job_id, ""))

    async def _get_queue_report(self, request: Any, context: Any) -> Any:
        return scheduler_reporting_pb2.QueueReport(report=self.queue_reports.get(request.queue_name, ""))

    async def _get_queue(self, request: Any, context: Any) -> Any:
        return submit_pb2.Queue(name=request.name, cordoned=request.name in self.cordoned)

    async def _get_logs(self, request: Any, context: Any) -> Any:
        lines = self.logs.get((request.job_id, request.log_options.container))
        if lines is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f'pods "armada-{request.job_id}-0" not found')
        second = nanoseconds(request.since_time) // 1_000_000_000 * 1_000_000_000
        page, size = [], 0
        for timestamp, line in lines or ():
            if nanoseconds(timestamp) < second:
                continue
            room = self.page_bytes - size - len(timestamp) - 2
            if room <= 0:
                break
            page.append(binoculars_pb2.LogLine(timestamp=timestamp, line=line[:room]))
            size += len(timestamp) + len(line) + 2
        return binoculars_pb2.LogResponse(log=page)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)


@asynccontextmanager
async def scripted_armada() -> AsyncIterator[ScriptedArmada]:
    """Run a server for the length of a test."""
    server = ScriptedArmada()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
