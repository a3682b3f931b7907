"""Whoever follows a job cancels what its submission has made besides it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.wait.following import wait_for_job
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.task_log import TaskLogReporter
from tests.support.airflow_stack import armada_connection


@pytest.fixture
def armada(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=2, memory="2Gi") as server:
        server.create_queue("q")
        monkeypatch.setenv("AIRFLOW_CONN_ARMADA_COPIES", armada_connection(server.target))
        yield server


async def test_the_job_that_is_followed_is_kept_and_its_copies_are_cancelled(armada: StandaloneArmada) -> None:
    armada.faults.forget_client_ids = True
    begun = time.time()
    jobs = []
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        for seconds in (600, 3, 600):
            spec = JobSpec(
                image="busybox:1.37",
                cmds=["sleep", str(seconds)],
                container_resources={"cpu": "50m", "memory": "16Mi"},
                client_id="try-1",
            )
            answer = ArmadaClient(channel).submit_jobs("q", "set", [build_request(spec).item])
            jobs.append(answer.job_response_items[0].job_id)
    older, followed, younger = jobs
    wait = JobWait("armada_copies", JobRef("q", "set", followed), begun, client_id="try-1")

    outcome = await wait_for_job(
        wait, SiteSettings(target=armada.target, tls=None), ArmadaHook(wait.armada_conn_id).source(), TaskLogReporter()
    )

    assert outcome.status == "succeeded"
    assert [armada.jobs[job_id].state for job_id in (older, younger)] == [JobState.CANCELLED.value] * 2
