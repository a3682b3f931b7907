"""Following real processes on the embedded Armada."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import grpc
import pytest

from airflow_armada.api import core_v1_pb2, resource_pb2, submit_pb2
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import follow
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.follow.conftest import QUICK, Remembering, until
from tests.integration.follow.scripted import EVENTS

JOB_SET = "set"


@pytest.fixture
def standalone() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=4, memory="4Gi") as server:
        server.create_queue("q")
        yield server


def settings(server: StandaloneArmada) -> SiteSettings:
    return SiteSettings(server.target, tls=None, binoculars=server.target)


def shell(script: str) -> submit_pb2.JobSubmitRequestItem:
    amounts = {"cpu": resource_pb2.Quantity(string="100m"), "memory": resource_pb2.Quantity(string="64Mi")}
    container = core_v1_pb2.Container(
        name="main",
        image="busybox",
        command=["sh", "-c", script],
        resources=core_v1_pb2.ResourceRequirements(requests=amounts, limits=amounts),
    )
    spec = core_v1_pb2.PodSpec(containers=[container], terminationGracePeriodSeconds=1)
    return submit_pb2.JobSubmitRequestItem(namespace="default", pod_spec=spec)


async def submit(server: StandaloneArmada, *scripts: str) -> list[FollowedJob]:
    async with ArmadaAsyncIOClient(open_aio_channel(settings(server))) as client:
        answer = await client.submit_jobs("q", JOB_SET, [shell(script) for script in scripts])
    now = time.time()
    return [
        FollowedJob(JobRef("q", JOB_SET, item.job_id), now, containers=("main",)) for item in answer.job_response_items
    ]


async def follow_all(server: StandaloneArmada, jobs: list[FollowedJob], reporters: list[Remembering]) -> list[Outcome]:
    async with shared_site(settings(server), QUICK) as site:
        following = (follow(site, job, reporter) for job, reporter in zip(jobs, reporters, strict=True))
        return list(await asyncio.wait_for(asyncio.gather(*following), 60))


async def test_a_process_is_followed_with_its_output_to_its_exit_code(standalone: StandaloneArmada) -> None:
    jobs = await submit(standalone, "echo one; sleep 1; echo two", "echo three; exit 3")
    reporters = [Remembering(), Remembering()]

    good, bad = await follow_all(standalone, jobs, reporters)

    assert (good.status, good.ran, good.cluster) == ("succeeded", True, "standalone")
    assert (bad.status, bad.exit_codes, bad.cause) == ("failed", {"main": 3}, "Error")
    assert [reporter.texts for reporter in reporters] == [["one", "two"], ["three"]]
    assert standalone.calls[EVENTS] == 1


async def test_streams_that_break_all_the_time_cost_no_line_and_no_end(standalone: StandaloneArmada) -> None:
    standalone.faults.drop_streams_after = 3
    standalone.faults.repeat_events = 1
    jobs = await submit(standalone, *(f"for n in 1 2 3; do echo {number}-$n; sleep 0.2; done" for number in range(5)))
    reporters = [Remembering() for _ in jobs]

    outcomes = await follow_all(standalone, jobs, reporters)

    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert [reporter.texts for reporter in reporters] == [[f"{number}-{n}" for n in (1, 2, 3)] for number in range(5)]


async def test_records_that_lag_behind_lose_nothing(standalone: StandaloneArmada) -> None:
    standalone.faults.query_lag = 5.0
    jobs = await submit(standalone, "sleep 1.5; echo done")

    (outcome,) = await follow_all(standalone, jobs, [Remembering()])

    assert outcome.status == "succeeded"


async def test_a_server_that_goes_away_for_a_while_is_waited_for(standalone: StandaloneArmada) -> None:
    jobs = await submit(standalone, "sleep 1; echo done")
    reporter = Remembering()
    following = asyncio.create_task(follow_all(standalone, jobs, [reporter]))
    await until(lambda: any("running" in text for text in reporter.states))

    await asyncio.to_thread(standalone.disconnect)
    await until(lambda: any("still waiting" in text for text in reporter.states))
    await asyncio.to_thread(standalone.reconnect)
    (outcome,) = await following

    assert outcome.status == "succeeded"
    assert reporter.texts == ["done"]


async def test_a_cancelled_job_is_told_with_who_cancelled_it(standalone: StandaloneArmada) -> None:
    jobs = await submit(standalone, "sleep 60")
    reporter = Remembering()
    following = asyncio.create_task(follow_all(standalone, jobs, [reporter]))
    await until(lambda: any("running" in text for text in reporter.states))

    async with ArmadaAsyncIOClient(open_aio_channel(settings(standalone))) as client:
        await client.cancel_jobs("q", JOB_SET, job_ids=[jobs[0].job_id])
    (outcome,) = await following

    assert (outcome.status, outcome.requestor) == ("cancelled", "anonymous")


async def test_refused_log_calls_fail_no_job(standalone: StandaloneArmada) -> None:
    standalone.faults.refuse("Logs", grpc.StatusCode.UNKNOWN, "pods is forbidden: User cannot get", times=None)
    jobs = await submit(standalone, "echo hello")

    (outcome,) = await follow_all(standalone, jobs, [Remembering()])

    assert (outcome.status, outcome.logs_complete) == ("succeeded", False)
