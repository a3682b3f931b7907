"""Every method of both clients against the embedded Armada, over a real socket."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from airflow_armada.api import core_v1_pb2, health_pb2, resource_pb2, submit_pb2
from airflow_armada.client import errors
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.channel import open_aio_channel, open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.log_client import JobLogAsyncIOClient, JobLogClient
from airflow_armada.client.permissions import Permissions, Subject
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import EventType, JobState
from airflow_armada.standalone.config import CLUSTER, NODE
from airflow_armada.standalone.server import StandaloneArmada

SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
UNKNOWN_ID = "0" * 26


@pytest.fixture(scope="module")
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=16, memory="32Gi") as running:
        yield running


@pytest.fixture(params=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, armada: StandaloneArmada) -> AsyncIterator[Any]:
    settings = SiteSettings(armada.target, tls=None)
    if request.param == "blocking":
        with ArmadaClient(open_channel(settings)) as made:
            yield made
    else:
        async with ArmadaAsyncIOClient(open_aio_channel(settings)) as aio_made:
            yield aio_made


@pytest.fixture
async def queue(request: pytest.FixtureRequest, client: Any) -> str:
    """A queue of its own for each test."""
    name = f"q-{abs(hash(request.node.nodeid))}"
    await done(client.create_queue(client.create_queue_request(name=name, priority_factor=1.0)))
    await eventually(lambda: exists(client, name))
    return name


async def exists(client: Any, name: str) -> bool:
    return name in {queue.name for queue in await done(client.get_queues())}


async def done(value: Any) -> Any:
    """Return what a method of either client gives."""
    return await value if inspect.isawaitable(value) else value


async def beside(method: Any, *arguments: Any) -> Any:
    """Call a method of either client without blocking the test."""
    return await done(await asyncio.to_thread(method, *arguments))


async def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not await done(condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def pod(script: str) -> core_v1_pb2.PodSpec:
    quantity = {
        "cpu": resource_pb2.Quantity(string="100m"),
        "memory": resource_pb2.Quantity(string="64Mi"),
    }
    container = core_v1_pb2.Container(
        name="main",
        image="any",
        command=["sh", "-c", script],
        resources=core_v1_pb2.ResourceRequirements(limits=quantity, requests=quantity),
    )
    return core_v1_pb2.PodSpec(containers=[container], terminationGracePeriodSeconds=1)


async def submit(client: Any, queue: str, script: str, **fields: Any) -> str:
    item = client.create_job_request_item(pod_spec=pod(script), **fields)
    response = await done(client.submit_jobs(queue, "set", [item]))
    return str(response.job_response_items[0].job_id)


async def state(client: Any, job_id: str) -> JobState:
    return JobState((await done(client.get_job_status([job_id]))).job_states[job_id])


async def in_state(client: Any, job_id: str, *wanted: JobState) -> None:
    async def reached() -> bool:
        return await state(client, job_id) in wanted

    await eventually(reached)


async def events_until(client: Any, queue: str, last: EventType, from_message_id: str | None = None) -> list[Any]:
    """Watch a job set until an event of some kind, with either client."""
    stream = await done(client.get_job_events_stream(queue, "set", from_message_id))
    events = []
    while True:
        message = await anext(stream) if hasattr(stream, "__anext__") else await asyncio.to_thread(next, stream)
        events.append(client.unmarshal_event_response(message))
        if events[-1].type is last:
            client.unwatch_events(stream)
            return events


async def test_health(client: Any) -> None:
    assert await done(client.submit_health()) == SERVING
    assert await done(client.event_health()) == SERVING


async def test_a_job_runs_and_its_events_tell_so(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "echo hello")

    events = await events_until(client, queue, EventType.succeeded)

    kinds = [event.type for event in events]
    assert kinds[:3] == [EventType.submitted, EventType.queued, EventType.leased]
    assert {event.message.job_id for event in events} == {job_id}
    await in_state(client, job_id, JobState.SUCCEEDED)


async def test_a_watch_continues_after_a_message(client: Any, queue: str) -> None:
    await submit(client, queue, "true")
    events = await events_until(client, queue, EventType.succeeded)

    rest = await events_until(client, queue, EventType.succeeded, events[2].id)

    assert [event.id for event in rest] == [event.id for event in events[3:]]


async def test_details_errors_and_runs_of_a_job(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "exit 3", namespace="team")
    await in_state(client, job_id, JobState.FAILED)

    details = (await done(client.get_job_details([job_id, UNKNOWN_ID], expand_job_spec=True))).job_details
    failures = (await done(client.get_job_errors([job_id]))).job_errors
    run_id = details[job_id].latest_run_id
    runs = (await done(client.get_job_run_details([run_id]))).job_run_details

    assert set(details) == {job_id}
    assert (details[job_id].queue, details[job_id].jobset, details[job_id].namespace) == (queue, "set", "team")
    assert [run.run_id for run in details[job_id].job_runs] == [run_id]
    assert details[job_id].HasField("job_spec")
    assert set(failures) == {job_id}
    assert runs[run_id].job_id == job_id


async def test_a_job_that_nobody_knows_is_unknown(client: Any) -> None:
    assert await state(client, UNKNOWN_ID) is JobState.UNKNOWN


async def test_a_job_is_found_by_its_external_uri(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "true", external_job_uri="test://here")

    async def found() -> bool:
        answer = await done(client.get_job_status_by_external_job_uri(queue, "set", "test://here"))
        return list(answer.job_states) == [job_id]

    await eventually(found)
    assert not (await done(client.get_job_status_by_external_job_uri(queue, "set", "test://there"))).job_states


async def test_the_same_client_id_is_the_same_job(client: Any, queue: str) -> None:
    first = await submit(client, queue, "true", client_id="once")

    assert await submit(client, queue, "true", client_id="once") == first


async def test_a_submit_whose_answers_are_lost_makes_one_job(client: Any, queue: str, armada: StandaloneArmada) -> None:
    armada.faults.lose_response("SubmitJobs", times=1)

    job_id = await submit(client, queue, "true", client_id="lost", external_job_uri="test://lost")
    await in_state(client, job_id, JobState.SUCCEEDED)

    found = await done(client.get_job_status_by_external_job_uri(queue, "set", "test://lost"))
    assert list(found.job_states) == [job_id]


async def test_a_pause_of_the_message_bus_makes_no_copies(client: Any, queue: str, armada: StandaloneArmada) -> None:
    armada.faults.bus_away = True
    calls = armada.calls["/api.Submit/SubmitJobs"]
    item = client.create_job_request_item(pod_spec=pod("true"), client_id="bus", external_job_uri="test://bus")
    submitting = asyncio.ensure_future(beside(client.submit_jobs, queue, "set", [item]))
    await eventually(lambda: armada.calls["/api.Submit/SubmitJobs"] == calls + 1)
    armada.faults.bus_away = False
    job_id = (await submitting).job_response_items[0].job_id

    assert await submit(client, queue, "true", client_id="bus") == job_id
    assert armada.calls["/api.Submit/SubmitJobs"] == calls + 2


async def test_a_submission_that_was_given_up_and_published_late_is_found_and_not_made_twice(
    queue: str, armada: StandaloneArmada
) -> None:
    with ArmadaClient(open_channel(SiteSettings(armada.target, tls=None)), command_timeout=0.5) as hasty:
        item = hasty.create_job_request_item(pod_spec=pod("true"), client_id="late", external_job_uri="test://late")
        armada.faults.bus_away = True
        submitting = asyncio.ensure_future(asyncio.to_thread(hasty.submit_jobs, queue, "set", [item]))
        looked = "/api.Jobs/GetJobStatusUsingExternalJobUri"
        before = armada.calls[looked]
        await eventually(lambda: armada.calls[looked] > before)
        armada.faults.bus_away = False
        job_id = (await submitting).job_response_items[0].job_id

        found = await asyncio.to_thread(hasty.get_job_status_by_external_job_uri, queue, "set", "test://late")
        assert list(found.job_states) == [job_id]


async def test_jobs_are_cancelled_by_id(client: Any, queue: str) -> None:
    one, other, kept = [await submit(client, queue, "sleep 60") for _ in range(3)]

    result = await done(client.cancel_jobs(queue, "set", one, job_ids=[other], reason="a test"))

    assert sorted(result.cancelled_ids) == sorted([one, other])
    await in_state(client, one, JobState.CANCELLED)
    await in_state(client, other, JobState.CANCELLED)
    assert (await state(client, kept)).is_active()
    await done(client.cancel_jobs(queue, "set", kept))
    await in_state(client, kept, JobState.CANCELLED)


async def test_a_job_set_is_cancelled_by_state(client: Any, queue: str) -> None:
    running = await submit(client, queue, "sleep 60")
    await in_state(client, running, JobState.RUNNING)

    await done(client.cancel_jobset(queue, "set", [JobState.QUEUED]))
    assert (await state(client, running)).is_active()
    await done(client.cancel_jobset(queue, "set", [JobState.RUNNING], reason="a test"))

    await in_state(client, running, JobState.CANCELLED)


@pytest.mark.parametrize("where", ["executor", "node"])
async def test_an_administrator_cancels_the_jobs_of_a_queue_on_an_executor_or_a_node(
    client: Any, queue: str, where: str
) -> None:
    job_id = await submit(client, queue, "sleep 60")
    await in_state(client, job_id, JobState.RUNNING)

    if where == "executor":
        await done(client.cancel_on_executor(CLUSTER, [queue], priority_classes=["armada-default"]))
    else:
        await done(client.cancel_on_node(NODE, CLUSTER, [queue], priority_classes=["armada-default"]))

    await in_state(client, job_id, JobState.CANCELLED)


async def test_cancelling_without_an_id_cancels_the_job_set(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "sleep 60")

    await done(client.cancel_jobs(queue, "set"))

    await in_state(client, job_id, JobState.CANCELLED)


async def test_a_running_job_is_preempted(client: Any, queue: str) -> None:
    spec = pod("sleep 60")
    spec.priorityClassName = "armada-preemptible"
    item = client.create_job_request_item(pod_spec=spec)
    job_id = (await done(client.submit_jobs(queue, "set", [item]))).job_response_items[0].job_id
    await in_state(client, job_id, JobState.RUNNING)

    result = await done(client.preempt_jobs(queue, "set", job_id, reason="a test"))

    assert list(result.preemption_results) == [job_id]
    await in_state(client, job_id, JobState.PREEMPTED)


async def test_a_job_is_reprioritized(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "sleep 60", priority=5.0)

    result = await done(client.reprioritize_jobs(2.0, [job_id], "set", queue))
    events = await events_until(client, queue, EventType.reprioritized)

    assert list(result.reprioritization_results) == [job_id]
    assert events[-1].message.new_priority == 2.0
    await done(client.cancel_jobs(queue, "set", job_id))


async def test_queues_are_made_read_changed_and_deleted(client: Any, queue: str) -> None:
    group = Permissions([Subject("Group", "everyone")], ["submit", "watch"])
    changed = client.create_queue_request(queue, 2.0, permissions=[group], labels={"team": "a"})
    others = [client.create_queue_request(f"{queue}-{number}", 1.0) for number in range(2)]

    await done(client.update_queue(changed))
    created = await done(client.create_queues(others))
    updated = await done(client.update_queues(others))
    found = await done(client.get_queue(queue))
    await done(client.delete_queue(others[0].name))

    assert (found.priority_factor, dict(found.labels)) == (2.0, {"team": "a"})
    assert [list(one.verbs) for one in found.permissions if list(one.verbs) == ["submit", "watch"]]
    assert (list(created.failed_queues), list(updated.failed_queues)) == ([], [])
    assert not await exists(client, others[0].name)
    assert await exists(client, others[1].name)
    with pytest.raises(errors.QueueNotFound):
        await done(client.get_queue(others[0].name))


async def test_a_cordoned_queue_takes_jobs_but_does_not_run_them(client: Any, queue: str) -> None:
    await done(client.cordon_queue(queue))
    assert (await done(client.get_queue(queue))).cordoned
    job_id = await submit(client, queue, "true")
    assert (await state(client, job_id)) in (JobState.QUEUED, JobState.UNKNOWN)

    await done(client.uncordon_queue(queue))

    await in_state(client, job_id, JobState.SUCCEEDED)


async def test_the_jobs_of_a_queue_are_preempted_and_cancelled_together(client: Any, queue: str) -> None:
    spec = pod("sleep 60")
    spec.priorityClassName = "armada-preemptible"
    preempted, cancelled = "", await submit(client, queue, "sleep 60")
    item = client.create_job_request_item(pod_spec=spec)
    preempted = (await done(client.submit_jobs(queue, "set", [item]))).job_response_items[0].job_id
    await in_state(client, preempted, JobState.RUNNING)
    await in_state(client, cancelled, JobState.RUNNING)

    await done(client.preempt_on_queue(queue, priority_classes=["armada-preemptible"]))
    await in_state(client, preempted, JobState.PREEMPTED)
    await done(client.cancel_on_queue(queue, [JobState.RUNNING, JobState.QUEUED]))

    await in_state(client, cancelled, JobState.CANCELLED)


async def test_active_queues_and_reports(client: Any, queue: str) -> None:
    job_id = await submit(client, queue, "sleep 60")
    await in_state(client, job_id, JobState.RUNNING)

    active = await done(client.get_active_queues())
    reports = [
        await done(client.get_job_report(job_id)),
        await done(client.get_queue_report(queue)),
        await done(client.get_scheduling_report(queue=queue)),
        await done(client.get_scheduling_report()),
    ]

    assert queue in {name for pool in active.active_queues_by_pool.values() for name in pool.queues}
    assert all(isinstance(report, str) and report for report in reports)
    await done(client.cancel_jobs(queue, "set", job_id))


async def test_retry_policies_are_made_read_changed_and_deleted(client: Any, queue: str) -> None:
    policy = submit_pb2.RetryPolicy(name=f"p-{queue}", retry_limit=2, default_action=submit_pb2.RETRY_ACTION_FAIL)

    await done(client.create_retry_policy(policy))
    policy.retry_limit = 3
    await done(client.update_retry_policy(policy))
    found = await done(client.get_retry_policy(policy.name))
    names = {one.name for one in await done(client.get_retry_policies())}
    await done(client.delete_retry_policy(policy.name))

    assert found.retry_limit == 3
    assert policy.name in names
    with pytest.raises(errors.NotFound):
        await done(client.get_retry_policy(policy.name))


async def test_a_queue_that_does_not_exist_is_the_same_error_on_every_call(client: Any) -> None:
    for call in (
        lambda: submit(client, "nowhere", "true"),
        lambda: client.cancel_jobs("nowhere", "set", UNKNOWN_ID),
        lambda: client.preempt_jobs("nowhere", "set", UNKNOWN_ID),
        lambda: client.reprioritize_jobs(1.0, [UNKNOWN_ID], "set", "nowhere"),
        lambda: client.get_queue("nowhere"),
    ):
        with pytest.raises(errors.QueueNotFound):
            await done(call())


async def test_an_invalid_job_is_refused_with_the_text_of_the_server(client: Any, queue: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await submit(client, queue, "true", namespace="")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "amespace" in str(caught.value)


async def test_logs_of_a_job(client: Any, queue: str, armada: StandaloneArmada) -> None:
    job_id = await submit(client, queue, "for n in 1 2 3; do echo line $n; done")
    await in_state(client, job_id, JobState.SUCCEEDED)

    def read() -> list[str]:
        with JobLogClient(armada.target, job_id, disable_ssl=True, container="main") as logs:
            return [line.line for line in logs.logs()]

    lines = await asyncio.to_thread(read)
    async with open_aio_channel(SiteSettings(armada.target, tls=None), log_service=True) as channel:
        page = await JobLogAsyncIOClient(channel).page(job_id, namespace="default", container="main")

    assert lines == ["line 1", "line 2", "line 3"]
    assert [line.line for line in page] == [b"line 1", b"line 2", b"line 3"]
