"""Logs over real sockets, from a service with the quirks of Binoculars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from airflow_armada.api.binoculars_pb2 import LogLine as Line
from airflow_armada.api.binoculars_pb2 import LogResponse
from airflow_armada.client import errors
from airflow_armada.client.auth.credentials import BearerToken
from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.log_client import JobLogAsyncIOClient, JobLogClient, LogLine
from airflow_armada.client.log_cursor import PAGE_BYTES
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.timestamps import nanoseconds
from tests.support.scripted_server import ScriptedServer, in_turn, scripted_server


def serve(log: list[Line]) -> Any:
    """Answer as Binoculars does: from the whole second on, at most 2 MB, and fail without log options."""

    def answer(request: Any, context: grpc.ServicerContext) -> LogResponse:
        if not request.HasField("log_options"):
            context.abort(grpc.StatusCode.INTERNAL, "Internal server error caused by nil")
        second = nanoseconds(request.since_time) // 1_000_000_000
        page, left = [], PAGE_BYTES
        for line in log:
            if nanoseconds(line.timestamp) // 1_000_000_000 >= second and left > 0:
                page.append(Line(timestamp=line.timestamp, line=line.line[:left]))
                left -= len(line.line) + len(line.timestamp) + 2
        return LogResponse(log=page)

    return answer


LOG = [Line(timestamp=f"2026-11-22T10:20:{n // 10:02}.{n % 10}Z", line=f"line {n}".encode()) for n in range(100)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(Logs=serve(LOG)) as running:
        yield running


def test_a_log_is_read_as_text_with_times(server: ScriptedServer) -> None:
    with JobLogClient(server.target, "j", disable_ssl=True) as client:
        lines = client.logs()

    assert lines[:2] == [LogLine("line 0", "2026-11-22T10:20:00.0Z"), LogLine("line 1", "2026-11-22T10:20:00.1Z")]
    assert len(lines) == 100


def test_a_log_is_continued_after_its_last_line(server: ScriptedServer) -> None:
    with JobLogClient(server.target, "j", disable_ssl=True) as client:
        lines = client.logs(since_time=LOG[57].timestamp)

    assert [line.line for line in lines] == [f"line {n}" for n in range(58, 100)]


def test_a_log_larger_than_a_page_is_read_whole(server: ScriptedServer) -> None:
    log = [Line(timestamp=line.timestamp, line=line.line + b"x" * 90_000) for line in LOG]
    server.answers["Logs"] = serve(log)

    with JobLogClient(server.target, "j", disable_ssl=True) as client:
        lines = client.logs()

    assert [len(line.line) for line in lines] == [len(line.line) for line in log]
    assert len(server.requests("Logs")) > 4


def test_output_that_is_not_utf8_is_shown_as_well_as_it_can_be(server: ScriptedServer) -> None:
    server.answers["Logs"] = serve([Line(timestamp="2026-11-22T10:20:00Z", line=b"caf\xe9 \xff")])

    with JobLogClient(server.target, "j", disable_ssl=True) as client:
        assert [line.line for line in client.logs()] == ["caf� �"]


def test_the_service_is_told_namespace_container_and_pod_and_gets_the_credentials(server: ScriptedServer) -> None:
    with JobLogClient(
        f"http://{server.target}",
        "j",
        credentials=BearerToken("token"),
        allow_plaintext_credentials=True,
        namespace="team",
        container="main",
        pod_number=1,
    ) as client:
        client.logs()

    received = server.received[0]
    assert received.metadata["authorization"] == "Bearer token"
    assert (received.request.job_id, received.request.pod_namespace, received.request.pod_number) == ("j", "team", 1)
    assert received.request.log_options.container == "main"


def test_a_pod_that_is_gone_is_not_found(server: ScriptedServer) -> None:
    server.answers["Logs"] = in_turn((grpc.StatusCode.NOT_FOUND, 'pods "armada-j-0" not found'))

    with (
        JobLogClient(server.target, "j", disable_ssl=True) as client,
        pytest.raises(errors.NotFound, match="not found"),
    ):
        client.logs()


def test_a_time_that_the_service_would_ignore_is_refused(server: ScriptedServer) -> None:
    with JobLogClient(server.target, "j", disable_ssl=True) as client, pytest.raises(ValueError, match="RFC 3339"):
        client.logs(since_time="yesterday")

    assert server.received == []


async def test_a_page_for_asyncio_code_is_one_call_and_keeps_the_bytes(server: ScriptedServer) -> None:
    settings = SiteSettings("unused:1", tls=None)
    async with open_aio_channel(settings, server.target, log_service=True) as channel:
        lines = await JobLogAsyncIOClient(channel).page(
            "j", namespace="team", container="main", since_time="2026-11-22T10:20:09.500Z"
        )

    assert lines == LOG[90:]
    (request,) = server.requests("Logs")
    assert (request.pod_namespace, request.log_options.container, request.since_time) == (
        "team",
        "main",
        "2026-11-22T10:20:09.500Z",
    )
