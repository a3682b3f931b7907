"""Event streams over real sockets: every kind of break, the end of an iteration, back-pressure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from typing import Any

import grpc
import grpc.aio
import pytest

from airflow_armada.api.event_pb2 import EventMessage, EventStreamMessage, JobFailedEvent, JobQueuedEvent
from airflow_armada.client import errors
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.auth.credentials import Credentials
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.event import Event
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import EventType
from tests.support.scripted_server import ScriptedServer, in_turn

Code = grpc.StatusCode
TIMEOUT = 30.0


def message(number: int, size: int = 0) -> EventStreamMessage:
    queued = JobQueuedEvent(job_id=str(number), queue="x" * size)
    return EventStreamMessage(id=f"{number}:0:0:1", message=EventMessage(queued=queued))


def history(length: int, breaks: Callable[[Any, int], None], every: int = 3) -> Any:
    """Serve a history of some length that breaks after every few messages; at its end the stream stays open."""

    def serve(request: Any, context: grpc.ServicerContext) -> Iterator[EventStreamMessage]:
        first = int(request.from_message_id.partition(":")[0] or -1) + 1
        for number in range(first, min(first + every, length)):
            yield message(number)
        if first + every < length:
            breaks(context, first)
        else:
            hang(context)

    return serve


def hang(context: grpc.ServicerContext) -> None:
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait(TIMEOUT)


def aborting(code: grpc.StatusCode, text: str) -> Callable[[Any, int], None]:
    return lambda context, first: context.abort(code, text)


BREAKS = {
    "unavailable": aborting(Code.UNAVAILABLE, "Socket closed"),
    "reset": aborting(Code.INTERNAL, "Received RST_STREAM with error code 2"),
    "gateway timeout": aborting(Code.UNKNOWN, "Received http2 header with status: 504"),
    "unmapped": aborting(Code.UNKNOWN, "redis: connection pool timeout"),
    "end of stream": lambda context, first: None,
}


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=list(BREAKS))
def test_a_stream_goes_on_after_every_break_without_loss_or_repetition(
    server: ScriptedServer, client: ArmadaClient, breaks: Any
) -> None:
    server.answers["GetJobSetEvents"] = history(10, breaks)

    with client.get_job_events_stream("q", "s") as stream:
        seen = [Event(one).message.job_id for one in islice(stream, 10)]  # type: ignore[union-attr]

    assert seen == [str(number) for number in range(10)]
    assert [one.from_message_id for one in server.requests("GetJobSetEvents")][:2] == ["", "2:0:0:1"]


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=list(BREAKS))
async def test_an_asyncio_stream_does_the_same(
    server: ScriptedServer, aio_client: ArmadaAsyncIOClient, breaks: Any
) -> None:
    server.answers["GetJobSetEvents"] = history(10, breaks)

    assert await take(aio_client, 10) == [f"{number}:0:0:1" for number in range(10)]


async def take(client: ArmadaAsyncIOClient, number: int, from_message_id: str | None = None) -> list[str]:
    seen = []
    async with await client.get_job_events_stream("q", "s", from_message_id) as stream:
        async for one in stream:
            seen.append(one.id)
            if len(seen) == number:
                return seen
    return seen


def test_a_stream_outlives_its_server(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["GetJobSetEvents"] = history(6, lambda context, first: hang(context))

    with client.get_job_events_stream("q", "s") as stream:
        seen = [next(stream).id for _ in range(3)]
        server.stop()
        server.start()
        seen += [next(stream).id for _ in range(3)]

    assert seen == [f"{number}:0:0:1" for number in range(6)]


def test_a_stream_begins_after_a_given_message(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["GetJobSetEvents"] = history(6, BREAKS["end of stream"])

    with client.get_job_events_stream("q", "s", "3:0:0:1") as stream:
        assert next(stream).id == "4:0:0:1"


async def test_a_stream_that_has_gone_silent_is_opened_again(server: ScriptedServer) -> None:
    def silent(request: Any, context: grpc.ServicerContext) -> Iterator[EventStreamMessage]:
        hang(context)
        yield from ()

    server.answers["GetJobSetEvents"] = in_turn(silent, silent, history(1, BREAKS["end of stream"]))
    timeout = timedelta(seconds=0.5)

    client = ArmadaClient(grpc.insecure_channel(server.target), timeout)
    with client, client.get_job_events_stream("q", "s") as stream:
        assert next(stream).id == "0:0:0:1"
    server.answers["GetJobSetEvents"] = in_turn(silent, silent, history(1, BREAKS["end of stream"]))
    async with ArmadaAsyncIOClient(grpc.aio.insecure_channel(server.target), timeout) as aio_client:
        assert await take(aio_client, 1) == ["0:0:0:1"]


UNAVAILABLE = (Code.UNAVAILABLE, "Socket closed")
MISSING = (Code.NOT_FOUND, "[GetJobSetEvents] Jobset s for queue q does not exist")


async def test_a_job_set_that_is_not_there_yet_is_waited_for(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetJobSetEvents"] = in_turn(MISSING, MISSING, history(1, BREAKS["end of stream"]))
    with client.get_job_events_stream("q", "s") as stream:
        assert next(stream).id == "0:0:0:1"

    server.answers["GetJobSetEvents"] = in_turn(MISSING, MISSING, history(1, BREAKS["end of stream"]))
    assert await take(aio_client, 1) == ["0:0:0:1"]


def test_a_job_set_that_never_appears_is_an_error(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["GetJobSetEvents"] = in_turn(MISSING)

    stream = client.get_job_events_stream("q", "s", missing_grace=timedelta(seconds=0.5))

    with pytest.raises(errors.JobSetNotFound, match="Jobset s for queue q"):
        next(stream)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (Code.PERMISSION_DENIED, errors.PermissionDenied),
        (Code.INVALID_ARGUMENT, errors.InvalidRequest),
        (Code.UNIMPLEMENTED, errors.Unimplemented),
    ],
)
async def test_an_error_is_never_a_silent_end(
    server: ScriptedServer,
    client: ArmadaClient,
    aio_client: ArmadaAsyncIOClient,
    code: grpc.StatusCode,
    expected: type[errors.ArmadaRpcError],
) -> None:
    server.answers["GetJobSetEvents"] = in_turn((code, "no"))
    stream = client.get_job_events_stream("q", "s")
    aio_stream = await aio_client.get_job_events_stream("q", "s")

    for _ in range(2):
        with pytest.raises(expected):
            await asyncio.to_thread(next, stream)
        with pytest.raises(expected):
            await anext(aio_stream)


def test_unwatching_from_another_thread_ends_a_waiting_iteration(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["GetJobSetEvents"] = history(1, BREAKS["end of stream"])
    stream = client.get_job_events_stream("q", "s")
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(one.id for one in stream))
    reader.start()
    server.wait_for("GetJobSetEvents", 1)

    client.unwatch_events(stream)
    reader.join(TIMEOUT)

    assert not reader.is_alive()
    assert seen in ([], ["0:0:0:1"])
    assert list(stream) == []


def test_unwatching_ends_an_iteration_that_waits_for_its_server(client: ArmadaClient, server: ScriptedServer) -> None:
    server.stop()
    stream = client.get_job_events_stream("q", "s")
    seen: list[EventStreamMessage] = []
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()

    client.unwatch_events(stream)
    reader.join(TIMEOUT)

    assert not reader.is_alive()
    assert seen == []


@pytest.mark.parametrize("from_thread", [False, True])
async def test_unwatching_an_asyncio_stream_ends_a_waiting_iteration(
    server: ScriptedServer, aio_client: ArmadaAsyncIOClient, from_thread: bool
) -> None:
    server.answers["GetJobSetEvents"] = history(1, BREAKS["end of stream"])
    stream = await aio_client.get_job_events_stream("q", "s")

    async def collect() -> list[str]:
        return [one.id async for one in stream]

    reader = asyncio.create_task(collect())
    await asyncio.to_thread(server.wait_for, "GetJobSetEvents", 1)
    if from_thread:
        await asyncio.to_thread(aio_client.unwatch_events, stream)
    else:
        aio_client.unwatch_events(stream)

    assert await asyncio.wait_for(reader, TIMEOUT) in ([], ["0:0:0:1"])


async def test_cancelling_the_reading_task_cancels_it_and_leaves_the_stream_usable(
    server: ScriptedServer, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetJobSetEvents"] = in_turn(
        history(1, BREAKS["end of stream"]), lambda request, context: iter([message(7)])
    )
    stream = await aio_client.get_job_events_stream("q", "s")
    assert (await anext(stream)).id == "0:0:0:1"
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (await anext(stream)).id == "7:0:0:1"
    assert server.requests("GetJobSetEvents")[-1].from_message_id == "0:0:0:1"
    stream.cancel()


async def test_closing_a_client_ends_the_iterations_over_its_streams(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetJobSetEvents"] = history(1, BREAKS["end of stream"])
    stream, aio_stream = client.get_job_events_stream("q", "s"), await aio_client.get_job_events_stream("q", "s")
    seen: list[EventStreamMessage] = []
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()
    aio_reader = asyncio.ensure_future(anext(aio_stream))
    assert (await aio_reader).id == "0:0:0:1"
    aio_reader = asyncio.ensure_future(anext(aio_stream))
    await asyncio.to_thread(server.wait_for, "GetJobSetEvents", 2)

    await asyncio.to_thread(client.close)
    await aio_client.close()
    await asyncio.to_thread(reader.join, TIMEOUT)

    assert not reader.is_alive()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(aio_reader, TIMEOUT)
    assert list(stream) == []


async def test_a_call_that_runs_when_the_channel_is_closed_fails_and_cancels_nobody(
    server: ScriptedServer, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetQueue"] = lambda request, context: hang(context)
    asking = asyncio.ensure_future(aio_client.get_queue("q"))
    await asyncio.to_thread(server.wait_for, "GetQueue", 1)

    await aio_client.close()

    with pytest.raises(errors.ArmadaRpcError, match="closed"):
        await asking


def test_cancelling_does_not_wait_for_a_source_of_tokens(server: ScriptedServer) -> None:
    asked, release = threading.Event(), threading.Event()

    @dataclass(frozen=True)
    class Slow(Credentials):
        def authorization(self) -> str:
            asked.set()
            release.wait(TIMEOUT)
            return "Bearer late"

    settings = SiteSettings(server.target, tls=None, credentials=Slow(), allow_plaintext_credentials=True)
    server.answers["GetJobSetEvents"] = history(1, BREAKS["end of stream"])
    with ArmadaClient(open_channel(settings)) as client:
        stream = client.get_job_events_stream("q", "s")
        seen: list[EventStreamMessage] = []
        reader = threading.Thread(target=lambda: seen.extend(stream))
        reader.start()
        asked.wait(TIMEOUT)

        stream.cancel()

        assert reader.is_alive()
        release.set()
        reader.join(TIMEOUT)
    assert seen == []


async def test_a_stream_ends_with_its_server_if_told_to(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetJobSetEvents"] = in_turn(UNAVAILABLE, lambda request, context: iter([message(1), message(2)]))
    stream = client.get_job_events_stream("q", "s", end_with_server=True)
    aio_stream = await aio_client.get_job_events_stream("q", "s", end_with_server=True)

    assert [one.id for one in stream] == ["1:0:0:1", "2:0:0:1"]
    assert [one.id async for one in aio_stream] == ["1:0:0:1", "2:0:0:1"]


async def test_an_event_that_cannot_be_decoded_is_passed_over_alone_and_told_once(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EventStreamMessage(id="1:0:0:1").SerializeToString() + b"\x12\x01\xff"
    server.answers["GetJobSetEvents"] = in_turn(
        lambda request, context: iter([message(0), broken, message(2)]), history(4, BREAKS["end of stream"])
    )
    with client.get_job_events_stream("q", "s") as stream:
        events = [Event(one) for one in islice(stream, 4)]

    assert [event.id for event in events] == [f"{number}:0:0:1" for number in range(4)]
    assert [event.type for event in events][1] is EventType.unknown
    assert caplog.text.count("cannot be decoded") == 1
    server.answers["GetJobSetEvents"] = lambda request, context: iter([broken, message(2)])
    assert await take(aio_client, 2) == ["1:0:0:1", "2:0:0:1"]


async def test_a_text_that_is_not_utf_8_costs_no_event(server: ScriptedServer, aio_client: ArmadaAsyncIOClient) -> None:
    failed = EventMessage(failed=JobFailedEvent(job_id="j", reason="Latin-1: x"))
    content = EventStreamMessage(id="1:0:0:1", message=failed).SerializeToString().replace(b": x", b": \xe9")
    server.answers["GetJobSetEvents"] = lambda request, context: iter([content])

    async with await aio_client.get_job_events_stream("q", "s") as stream:
        assert (await anext(stream)).message.failed.reason == "Latin-1: \ufffd"


async def test_an_answer_that_cannot_be_decoded_is_an_error_of_its_own(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetQueue"] = in_turn(b"\xff")

    with pytest.raises(errors.UnreadableAnswer, match="cannot be decoded"):
        client.get_queue("q")
    with pytest.raises(errors.UnreadableAnswer, match="cannot be decoded"):
        await aio_client.get_queue("q")
    assert len(server.requests("GetQueue")) == 2


async def test_a_slow_consumer_holds_the_server_back(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    sent = [0]

    def endless(request: Any, context: grpc.ServicerContext) -> Iterator[EventStreamMessage]:
        for number in count():
            if not context.is_active():
                return
            yield message(number, size=100_000)
            sent[0] = number

    server.answers["GetJobSetEvents"] = endless
    with client.get_job_events_stream("q", "s") as stream:
        next(stream)
        assert await steady(sent) < 1000
    async with await aio_client.get_job_events_stream("q", "s") as aio_stream:
        await anext(aio_stream)
        assert await steady(sent) < 1000


async def steady(sent: list[int]) -> int:
    """Wait until the number of messages that were sent grows no more, and return it."""
    while True:
        before = sent[0]
        await asyncio.sleep(0.5)
        if sent[0] == before:
            return before
