"""What users of ``armada-client`` do in their own code and tests, with the same module names here."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2

from airflow_armada.client.armada import (
    binoculars_pb2,
    binoculars_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
    submit_pb2,
    submit_pb2_grpc,
)
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.event import Event
from airflow_armada.client.internal.binoculars_client import BinocularsClient
from airflow_armada.client.typings import EventType


class Submits(submit_pb2_grpc.SubmitServicer):  # type: ignore[misc]
    def CancelJobSet(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()


class Queues(submit_pb2_grpc.QueueServiceServicer):  # type: ignore[misc]
    def CreateQueue(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()


class Events(event_pb2_grpc.EventServicer):  # type: ignore[misc]
    def GetJobSetEvents(self, request: Any, context: Any) -> Iterator[Any]:
        yield event_pb2.EventStreamMessage(id="1")


class Jobs(job_pb2_grpc.JobsServicer):  # type: ignore[misc]
    def GetJobStatus(self, request: Any, context: Any) -> Any:
        return job_pb2.JobStatusResponse(job_states=dict.fromkeys(request.job_ids, submit_pb2.JobState.RUNNING))


class Logs(binoculars_pb2_grpc.BinocularsServicer):  # type: ignore[misc]
    def Logs(self, request: Any, context: Any) -> Any:
        assert request.HasField("log_options")
        return binoculars_pb2.LogResponse(log=[binoculars_pb2.LogLine(timestamp="now", line=b"a line")])

    def Cordon(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()


@pytest.fixture
def target() -> Iterator[str]:
    """A server made of servicers, as tests of such users make one."""
    server = grpc.server(ThreadPoolExecutor(4))
    submit_pb2_grpc.add_SubmitServicer_to_server(Submits(), server)
    submit_pb2_grpc.add_QueueServiceServicer_to_server(Queues(), server)
    event_pb2_grpc.add_EventServicer_to_server(Events(), server)
    job_pb2_grpc.add_JobsServicer_to_server(Jobs(), server)
    binoculars_pb2_grpc.add_BinocularsServicer_to_server(Logs(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_a_client_talks_to_a_server_of_servicers(target: str) -> None:
    with ArmadaClient(grpc.insecure_channel(target)) as client:
        queue = client.create_queue_request(name="q", priority_factor=1)

        assert client.create_queue(queue) == empty_pb2.Empty()
        assert client.cancel_jobset("q", "s", []) == empty_pb2.Empty()
        assert client.get_job_status(["a"]).job_states["a"] == submit_pb2.JobState.RUNNING
        assert [one.id for one in client.get_job_events_stream("q", "s", end_with_server=True)] == ["1"]


async def test_stubs_call_over_either_channel(target: str) -> None:
    request = job_pb2.JobStatusRequest(job_ids=["a"])
    with grpc.insecure_channel(target) as channel:
        assert list(job_pb2_grpc.JobsStub(channel).GetJobStatus(request).job_states) == ["a"]
    async with grpc.aio.insecure_channel(target) as aio_channel:
        assert list((await job_pb2_grpc.JobsStub(aio_channel).GetJobStatus(request)).job_states) == ["a"]


def test_what_a_servicer_leaves_out_is_unimplemented(target: str) -> None:
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        submit_pb2_grpc.SubmitStub(channel).SubmitJobs(submit_pb2.JobSubmitRequest())

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_plain_calls_of_the_log_service(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        client = BinocularsClient(channel)

        assert [line.line for line in client.logs("job", "").log] == [b"a line"]
        assert client.cordon("node") == empty_pb2.Empty()


def test_an_event_is_made_of_what_looks_like_a_message() -> None:
    body = SimpleNamespace(running=SimpleNamespace(job_id="j"), WhichOneof=lambda name: "running")

    event = Event(SimpleNamespace(id=1, message=body))  # type: ignore[arg-type]

    assert (event.id, event.type, event.message.job_id) == (1, EventType.running, "j")  # type: ignore[union-attr]


def test_well_known_types_pickle_and_convert() -> None:
    queued = event_pb2.JobQueuedEvent(job_id="j")
    moment = datetime(2026, 11, 27, tzinfo=UTC)
    queued.created.FromDatetime(moment)

    copy = pickle.loads(pickle.dumps(queued))

    assert copy == queued
    assert copy.created.ToDatetime(tzinfo=UTC) == moment
    assert pickle.loads(pickle.dumps(copy.created)) == queued.created
