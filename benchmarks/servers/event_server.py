"""A server of synthetic histories, in a process of its own so that its cost does not count: ``python -m ... ``.

It answers the calls that a follower makes and does nothing else. ``/bench.Control/Do`` takes JSON and tells it what to
send. It prints ``{"port": ...}`` when it is ready and ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio

from airflow_armada.api import binoculars_pb2, job_pb2, submit_pb2
from airflow_armada.api.methods import Binoculars, Event, Jobs, Method, Submit
from benchmarks import synthetic
from benchmarks.servers.control import CONTROL
from benchmarks.synthetic import LIFE, Writing

TICK = 0.01


class JobSet:
    """One event stream: a stored history that is made when it is read, and what is sent while somebody watches.

    :param name: its id
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.first_ms = 0
        self.step_ms = 1.0
        self.stored = 0
        self.bodies: list[bytes] = []
        self.live: list[tuple[str, bytes, str]] = []
        self._waiting: list[asyncio.Future[None]] = []

    def remember(self, bodies: list[bytes], events: int, first: float, last: float) -> None:
        """Have a history of so many events, the bodies in turn, spread evenly over a time."""
        self.bodies, self.stored, self.first_ms = bodies, events, int(first * 1000)
        self.step_ms = max((last - first) * 1000 / max(events, 1), 1e-6)

    def send(self, identity: str, body: bytes, key: str) -> None:
        self.live.append((identity, body, key))
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def begin(self, from_id: str) -> int:
        """Return the index of the first event after an id."""
        if not from_id:
            return 0
        milliseconds = int(from_id.partition(":")[0])
        if self.live and milliseconds >= int(self.live[0][0].partition(":")[0]):
            ids = [identity for identity, _, _ in self.live]
            return self.stored + (ids.index(from_id) + 1 if from_id in ids else 0)
        return min(self.stored, max(0, int((milliseconds - self.first_ms) / self.step_ms) + 1))

    def __len__(self) -> int:
        return self.stored + len(self.live)

    def message(self, index: int) -> tuple[bytes, str]:
        """Return a serialised stream message, and the key under which its sending is noted, if any."""
        if index < self.stored:
            identity = synthetic.message_id(self.first_ms + int(index * self.step_ms), index)
            return synthetic.stream_message(identity, self.bodies[index % len(self.bodies)]), ""
        identity, body, key = self.live[index - self.stored]
        return synthetic.stream_message(identity, body), key

    async def grown(self, size: int) -> None:
        """Return when there are more events than so many."""
        while len(self) <= size:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future


class EventServer:
    """The calls that it answers, and what it knows."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.job_sets: dict[str, JobSet] = {}
        self.jobs: dict[str, tuple[str, dict[str, float]]] = {}
        self.sent: dict[str, float] = {}
        self.happened: dict[str, float] = {}
        self.watching = 0
        self.submitted = 0
        self.writing: Writing | None = None
        self._sequence = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def events(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        job_set = self.job_sets.setdefault(request.id, JobSet(request.id))
        index = job_set.begin(request.from_message_id)
        self.watching += 1
        try:
            while True:
                while index < len(job_set):
                    payload, key = job_set.message(index)
                    index += 1
                    if key:
                        self.sent[key] = time.monotonic()
                    yield payload
                if not request.watch:
                    return
                await job_set.grown(index)
        finally:
            self.watching -= 1

    async def job_details(self, request: Any, context: Any) -> Any:
        answer = job_pb2.JobDetailsResponse()
        for job in request.job_ids:
            if job in self.jobs:
                answer.job_details[job].CopyFrom(synthetic.details(job, *self.jobs[job]))
        return answer

    async def job_status(self, request: Any, context: Any) -> Any:
        unknown = submit_pb2.JobState.Value("UNKNOWN")
        states = {}
        for job in request.job_ids:
            states[job] = synthetic.state(next(reversed(self.jobs[job][1]))) if job in self.jobs else unknown
        return job_pb2.JobStatusResponse(job_states=states)

    async def submit(self, request: Any, context: Any) -> Any:
        answer = submit_pb2.JobSubmitResponse()
        for _ in request.job_request_items:
            self.submitted += 1
            answer.job_response_items.add(job_id=synthetic.job_id(self.submitted))
        return answer

    async def logs(self, request: Any, context: Any) -> Any:
        if self.writing is None:
            return binoculars_pb2.LogResponse()
        return binoculars_pb2.LogResponse(log=self.writing.page(request.since_time, time.time()))

    async def control(self, request: bytes, context: Any) -> bytes:
        order = json.loads(request)
        answer = getattr(self, "do_" + order.pop("do"))(**order)
        return json.dumps(answer).encode()

    def do_create(
        self, job_sets: list[str], jobs: int, kind: str = "queued", first: int = 0, age: float = 0.0
    ) -> dict[str, Any]:
        """Spread jobs over job sets; their stored history goes as far as a kind of event, and is so many s old."""
        names: list[list[str]] = [[] for _ in job_sets]
        for number in range(jobs):
            names[number % len(job_sets)].append(synthetic.job_id(first + number))
        now = time.time() - age
        for job_set, ids in zip(job_sets, names, strict=True):
            found = self.job_sets[job_set] = JobSet(job_set)
            kinds = LIFE[: LIFE.index(kind) + 1]
            bodies = [synthetic.event_body(past, job, job_set, now) for past in kinds for job in ids]
            found.remember(bodies, len(bodies), now - 0.5, now)
            self.jobs.update({job: (job_set, dict.fromkeys(kinds, now)) for job in ids})
        return {"now": now, "jobs": dict(zip(job_sets, names, strict=True))}

    def do_history(self, job_set: str, events: int, seconds: float) -> dict[str, Any]:
        """Give a job set a long history, of other jobs, that ended a minute ago."""
        now = time.time()
        ids = [synthetic.job_id(10**9 + number) for number in range(200)]
        found = self.job_sets.setdefault(job_set, JobSet(job_set))
        found.remember(list(synthetic.lives(ids, job_set, now - seconds)), events, now - seconds, now - 60)
        return {"events": len(found)}

    def do_play(self, kinds: list[str], rate: float, jobs: list[str] | None = None) -> dict[str, Any]:
        """Send, for every job, events of these kinds, so many in a second."""
        names = list(self.jobs) if jobs is None else jobs
        self._spawn(self._play([(job, kind) for kind in kinds for job in names], rate))
        return {"events": len(names) * len(kinds)}

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, events: list[tuple[str, str]], rate: float) -> None:
        begun, sent = time.monotonic(), 0
        while sent < len(events):
            due = min(len(events), int((time.monotonic() - begun) * rate) + 1)
            self._send(events[sent:due])
            sent = due
            await asyncio.sleep(TICK)

    def _send(self, events: Iterable[tuple[str, str]]) -> None:
        now = time.time()
        for job, kind in events:
            job_set, moments = self.jobs[job]
            self._sequence += 1
            if kind in LIFE:
                moments[kind] = now
            self.happened[f"{job} {kind}"] = time.monotonic()
            identity = synthetic.message_id(int(now * 1000), self._sequence)
            self.job_sets[job_set].send(identity, synthetic.event_body(kind, job, job_set, now), f"{job} {kind}")

    def do_write(self, seconds: float, rate: float) -> dict[str, Any]:
        """Let every job write its log, from now on."""
        now = time.time()
        self.writing = Writing(now, now + seconds, rate)
        return {"begin": now, "lines": self.writing.lines}

    def do_status(self) -> dict[str, Any]:
        return {"calls": dict(self.calls), "watching": self.watching, "playing": len(self._tasks)}

    def do_sent(self) -> dict[str, float]:
        """Return when each event was sent, on the clock that all processes share, and forget it."""
        sent, self.sent = self.sent, {}
        return sent

    def do_happened(self) -> dict[str, float]:
        """Return when each job got to its state, on the same clock, for those who do not listen to events."""
        return self.happened

    def do_forget(self) -> dict[str, Any]:
        """Forget the calls that were made to prepare a measurement."""
        self.calls.clear()
        self.sent.clear()
        return {}

    def do_reset(self) -> dict[str, Any]:
        for task in self._tasks:
            task.cancel()
        self.calls.clear()
        self.job_sets.clear()
        self.jobs.clear()
        self.sent.clear()
        self.happened.clear()
        self.writing = None
        return {}

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the table of methods for ``grpc.aio``."""
        unary: dict[Method[Any, Any], Any] = {
            Jobs.GET_JOB_DETAILS: self.job_details,
            Jobs.GET_JOB_STATUS: self.job_status,
            Submit.SUBMIT_JOBS: self.submit,
            Binoculars.LOGS: self.logs,
        }
        events = Event.GET_JOB_SET_EVENTS
        table = {
            events.path: grpc.unary_stream_rpc_method_handler(self.events, events.request.FromString, None),
            CONTROL: grpc.unary_unary_rpc_method_handler(self.control, None, None),
        }
        for method, function in unary.items():
            table[method.path] = grpc.unary_unary_rpc_method_handler(
                function, method.request.FromString, method.response.SerializeToString
            )
        return _Counting(table, self.calls)


class _Counting(grpc.GenericRpcHandler):
    """Finds the handler of a call, and counts it."""

    def __init__(self, table: dict[str, Any], calls: Counter[str]) -> None:
        self._table, self._calls = table, calls

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        if path != CONTROL:
            self._calls[path] += 1
        return self._table.get(path)


async def serve() -> None:
    """Serve until standard input is closed."""
    limit = 64 * 1024 * 1024
    options = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", limit)]
    options += [("grpc.http2.min_ping_interval_without_data_ms", 1000), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((EventServer().handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"port": port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
