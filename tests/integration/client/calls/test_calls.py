"""Calls over real sockets: deadlines, retries, divided requests, and the error for each thing that goes wrong."""

from __future__ import annotations

import logging
import threading
from typing import Any

import grpc
import grpc.aio
import pytest

from airflow_armada.api import empty_pb2, job_pb2, submit_pb2
from airflow_armada.client import errors
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.client import ArmadaClient
from tests.support.scripted_server import ScriptedServer, in_turn

Code = grpc.StatusCode
UNAVAILABLE = (Code.UNAVAILABLE, "Socket closed")


def item(client_id: str = "", filler: int = 0) -> submit_pb2.JobSubmitRequestItem:
    return submit_pb2.JobSubmitRequestItem(client_id=client_id, annotations={"filler": "x" * filler})


def accept(request: submit_pb2.JobSubmitRequest, context: Any) -> submit_pb2.JobSubmitResponse:
    items = [submit_pb2.JobSubmitResponseItem(job_id=f"id-{one.client_id}") for one in request.job_request_items]
    return submit_pb2.JobSubmitResponse(job_response_items=items)


def test_a_query_survives_a_server_that_is_away_for_a_moment(
    server: ScriptedServer, client: ArmadaClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers["GetQueue"] = in_turn(UNAVAILABLE, (Code.INTERNAL, "RST_STREAM"), submit_pb2.Queue(name="q"))

    with caplog.at_level(logging.INFO):
        queue = client.get_queue("q")

    assert queue.name == "q"
    assert len(server.requests("GetQueue")) == 3
    assert caplog.text == ""


async def test_the_asyncio_client_does_the_same(server: ScriptedServer, aio_client: ArmadaAsyncIOClient) -> None:
    server.answers["GetQueue"] = in_turn(UNAVAILABLE, (Code.INTERNAL, "RST_STREAM"), submit_pb2.Queue(name="q"))

    assert (await aio_client.get_queue("q")).name == "q"
    assert len(server.requests("GetQueue")) == 3


def test_a_server_that_restarts_is_found_again(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["GetQueue"] = in_turn(submit_pb2.Queue(name="q"))
    client.get_queue("q")
    server.stop()
    late = threading.Timer(1.0, server.start)
    late.start()

    assert client.get_queue("q").name == "q"
    late.join()


def test_every_attempt_has_a_deadline(server: ScriptedServer) -> None:
    server.answers["GetQueue"] = in_turn(submit_pb2.Queue(name="q"))
    with ArmadaClient(grpc.insecure_channel(server.target), call_timeout=7.0) as client:
        client.get_queue("q")

    # On its way the deadline is rounded up by gRPC.
    assert 0 < server.received[0].time_remaining < 8.0


def test_a_server_that_never_answers_is_given_up(server: ScriptedServer) -> None:
    release = threading.Event()
    server.answers["GetQueue"] = lambda request, context: release.wait(60)
    client = ArmadaClient(grpc.insecure_channel(server.target), call_timeout=0.3, retry_timeout=1.0)

    with client, pytest.raises(errors.DeadlineExceeded, match="GetQueue failed with DEADLINE_EXCEEDED"):
        client.get_queue("q")
    release.set()


def test_an_unreachable_server_is_an_error_of_one_line() -> None:
    client = ArmadaClient(grpc.insecure_channel("127.0.0.1:1"), retry_timeout=0.5)

    with client, pytest.raises(errors.Unavailable) as caught:
        client.get_queues()

    assert "\n" not in str(caught.value)
    assert "check the address" in str(caught.value)


class Store:
    """What the query service knows: jobs by the external URI and the client id that they were submitted with."""

    def __init__(self, server: ScriptedServer, *jobs: tuple[str, str, str]) -> None:
        self.jobs = list(jobs)
        self.states: dict[str, Any] = {}
        server.answers["GetJobStatusUsingExternalJobUri"] = self.by_uri
        server.answers["GetJobDetails"] = self.details
        server.answers["CancelJobs"] = in_turn(submit_pb2.CancellationResult())

    def by_uri(self, request: Any, context: Any) -> job_pb2.JobStatusResponse:
        found = [job_id for job_id, _, uri in self.jobs if uri == request.external_job_uri]
        states = {job_id: self.states.get(job_id, submit_pb2.QUEUED) for job_id in found}
        return job_pb2.JobStatusResponse(job_states=states)

    def details(self, request: Any, context: Any) -> job_pb2.JobDetailsResponse:
        specs = {
            job_id: job_pb2.JobDetails(job_id=job_id, job_spec=submit_pb2.Job(id=job_id, client_id=client_id))
            for job_id, client_id, _ in self.jobs
            if job_id in request.job_ids
        }
        return job_pb2.JobDetailsResponse(job_details=specs)


def known_item(client_id: str, uri: str = "") -> submit_pb2.JobSubmitRequestItem:
    return submit_pb2.JobSubmitRequestItem(client_id=client_id, external_job_uri=uri or f"test://{client_id}")


LOST = [UNAVAILABLE, (Code.INTERNAL, "Failed to send events"), (Code.DEADLINE_EXCEEDED, "")]


@pytest.mark.parametrize("lost", LOST)
async def test_after_a_lost_answer_the_jobs_are_looked_for_and_not_submitted_again(
    server: ScriptedServer, aio_client: ArmadaAsyncIOClient, lost: Any
) -> None:
    server.answers["SubmitJobs"] = in_turn(lost)
    store = Store(server)
    looked = store.by_uri

    def late(request: Any, context: Any) -> job_pb2.JobStatusResponse:
        if len(server.requests("GetJobStatusUsingExternalJobUri")) > 3:
            store.jobs = [("01B", "b", "test://b"), ("01A", "a", "test://a")]
        return looked(request, context)

    server.answers["GetJobStatusUsingExternalJobUri"] = late
    response = await aio_client.submit_jobs("q", "s", [known_item("a"), known_item("b")])

    assert [one.job_id for one in response.job_response_items] == ["01A", "01B"]
    assert len(server.requests("SubmitJobs")) == 1
    assert server.requests("CancelJobs") == []


def test_of_several_copies_the_oldest_that_nobody_cancelled_is_kept_and_a_stranger_with_the_same_uri_is_left_alone(
    server: ScriptedServer, client: ArmadaClient
) -> None:
    server.answers["SubmitJobs"] = in_turn(UNAVAILABLE)
    uri = "test://a"
    store = Store(server, ("01C", "a", uri), ("01B", "a", uri), ("01A", "a", uri), ("010", "other", uri))
    store.states["01A"] = submit_pb2.CANCELLED

    (answer,) = client.submit_jobs("q", "s", [known_item("a")]).job_response_items

    assert answer.job_id == "01B"
    assert [list(request.job_ids) for request in server.requests("CancelJobs")] == [["01C"]]


@pytest.mark.parametrize(
    "items", [[known_item("a")], [known_item("a"), known_item("a")], [item("a")], [known_item("", "test://x")]]
)
def test_a_submission_that_cannot_be_found_is_an_error_that_says_it_may_have_been_accepted(
    server: ScriptedServer, items: list[submit_pb2.JobSubmitRequestItem]
) -> None:
    server.answers["SubmitJobs"] = in_turn(UNAVAILABLE)
    Store(server)
    client = ArmadaClient(grpc.insecure_channel(server.target), retry_timeout=0.5)

    with client, pytest.raises(errors.Unavailable, match="may have carried it out") as caught:
        client.submit_jobs("q", "s", items)

    assert caught.value.may_have_happened
    assert len(server.requests("SubmitJobs")) == 1


def test_a_submission_that_was_turned_away_is_sent_again(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["SubmitJobs"] = in_turn((Code.RESOURCE_EXHAUSTED, "busy"), accept)

    assert client.submit_jobs("q", "s", [item()]).job_response_items[0].job_id == "id-"


def test_a_submit_larger_than_the_server_takes_is_divided(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["SubmitJobs"] = accept
    items = [item(str(number), filler=60_000) for number in range(150)]

    response = client.submit_jobs("q", "s", items)

    assert [one.job_id for one in response.job_response_items] == [f"id-{number}" for number in range(150)]
    assert len(server.requests("SubmitJobs")) == 3


def test_when_a_part_of_a_submit_is_refused_the_error_tells_what_was_accepted(
    server: ScriptedServer, client: ArmadaClient
) -> None:
    server.answers["SubmitJobs"] = in_turn(accept, (Code.INVALID_ARGUMENT, "namespace is missing"))

    with pytest.raises(errors.InvalidRequest) as caught:
        client.submit_jobs("q", "s", [item(str(number), filler=60_000) for number in range(100)])

    assert [one.job_id for one in caught.value.partial.job_response_items][:2] == ["id-0", "id-1"]


async def test_queries_for_many_jobs_are_divided_and_joined(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetJobStatus"] = lambda request, context: job_pb2.JobStatusResponse(
        job_states=dict.fromkeys(request.job_ids, submit_pb2.RUNNING)
    )
    ids = [f"id-{number}" for number in range(1100)]

    assert sorted((await aio_client.get_job_status(ids)).job_states) == sorted(ids)
    assert [len(request.job_ids) for request in server.requests("GetJobStatus")] == [500, 500, 100]


def test_an_answer_of_more_than_4_mib_is_taken(server: ScriptedServer, client: ArmadaClient) -> None:
    details = {str(number): job_pb2.JobDetails(job_id=str(number), queue="x" * 50_000) for number in range(200)}
    server.answers["GetJobDetails"] = in_turn(job_pb2.JobDetailsResponse(job_details=details))

    assert len(client.get_job_details(["0"], expand_job_spec=True).job_details) == 200


def queue_list(*names: str, end: bool) -> Any:
    messages = [submit_pb2.StreamingQueueMessage(queue=submit_pb2.Queue(name=name)) for name in names]
    if end:
        messages.append(submit_pb2.StreamingQueueMessage(end=submit_pb2.EndMarker()))
    return lambda request, context: iter(messages)


async def test_a_list_of_queues_that_is_cut_short_is_asked_for_again(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    server.answers["GetQueues"] = in_turn(
        queue_list("a", end=False),
        queue_list("a", "b", end=True),
        queue_list("a", end=False),
        queue_list("c", end=True),
    )

    assert [queue.name for queue in await aio_client.get_queues()] == ["a", "b"]
    assert [queue.name for queue in await aio_client.get_queues()] == ["c"]


def test_a_list_of_queues_that_is_always_cut_short_is_an_error(server: ScriptedServer) -> None:
    server.answers["GetQueues"] = queue_list("a", end=False)
    client = ArmadaClient(grpc.insecure_channel(server.target), retry_timeout=0.5)

    with client, pytest.raises(errors.Unavailable, match="end marker"):
        client.get_queues()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (Code.PERMISSION_DENIED, 'could not find queue "q"', errors.QueueNotFound),
        (Code.PERMISSION_DENIED, "alice lacks permission submit", errors.PermissionDenied),
        (Code.UNAUTHENTICATED, "no", errors.Unauthenticated),
        (Code.INVALID_ARGUMENT, "no", errors.InvalidRequest),
        (Code.UNIMPLEMENTED, "no", errors.Unimplemented),
    ],
)
async def test_a_refusal_is_raised_at_once_with_its_class(
    server: ScriptedServer,
    client: ArmadaClient,
    aio_client: ArmadaAsyncIOClient,
    code: grpc.StatusCode,
    text: str,
    expected: type[errors.ArmadaRpcError],
) -> None:
    server.answers["CancelJobs"] = in_turn((code, text))

    with pytest.raises(expected, match=text):
        await aio_client.cancel_jobs("q", "s", "a")

    assert len(server.requests("CancelJobs")) == 1


def test_cancelling_without_an_id_goes_to_the_job_set(server: ScriptedServer, client: ArmadaClient) -> None:
    server.answers["CancelJobSet"] = in_turn(empty_pb2.Empty())

    client.cancel_jobs("q", "s")

    (request,) = server.requests("CancelJobSet")
    assert (request.queue, request.job_set_id, list(request.filter.states)) == ("q", "s", [])


async def test_an_administrator_acts_on_clusters_and_nodes(
    server: ScriptedServer, client: ArmadaClient, aio_client: ArmadaAsyncIOClient
) -> None:
    methods = ("UpsertExecutorSettings", "PreemptOnExecutor", "CancelOnNode")
    server.answers.update(dict.fromkeys(methods, in_turn(empty_pb2.Empty())))

    client.upsert_executor_settings("e", cordoned=True, cordon_reason="repairs")
    client.preempt_on_executor("e", ["q"])
    await aio_client.cancel_on_node("n", "e", ["q"])

    assert [server.requests(method)[0].name for method in methods] == ["e", "e", "n"]
