"""A trigger cancels what still runs, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from grpc import StatusCode

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import CredentialsError, PermissionDenied, SettingsError
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.wait.cancel import KILLED, cancel, cancel_async
from airflow_armada.wait.job_wait import JobWait
from tests.support.components import wait_until

CANCEL = "/api.Submit/CancelJobs"


@pytest.fixture
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=2, memory="2Gi") as server:
        server.create_queue("q")
        yield server


def settings(armada: StandaloneArmada) -> SiteSettings:
    return SiteSettings(target=armada.target, tls=None)


def submitted(armada: StandaloneArmada, command: str, state: JobState) -> JobWait:
    """Submit a job and wait until it is in a state."""
    spec = JobSpec(
        image="busybox:1.37", cmds=["sh", "-c", command], container_resources={"cpu": "50m", "memory": "16Mi"}
    )
    with open_channel(settings(armada)) as channel:
        client = ArmadaClient(channel)
        job_id = client.submit_jobs("q", "set", [build_request(spec).item]).job_response_items[0].job_id
        wait_until(lambda: client.get_job_status([job_id]).job_states[job_id] == state.value, f"{state.name}")
    return JobWait("armada_default", JobRef("q", "set", job_id), time.time())


async def cancelled(armada: StandaloneArmada, wait: JobWait) -> bool:
    async def current() -> SiteSettings:
        return settings(armada)

    return await cancel_async(wait.job, current, unless_ended=True)


async def test_a_job_that_runs_is_cancelled(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "sleep 600", JobState.RUNNING)

    assert await cancelled(armada, wait)

    wait_until(lambda: armada.jobs[wait.job_id].history[-1][1] == JobState.CANCELLED.value, "the cancel")


async def test_a_job_that_has_ended_is_not_cancelled(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "true", JobState.SUCCEEDED)

    assert not await cancelled(armada, wait)

    assert armada.calls[CANCEL] == 0


async def test_a_look_that_fails_does_not_stand_in_the_way(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "sleep 600", JobState.RUNNING)
    armada.faults.refuse("GetJobStatus", StatusCode.UNKNOWN, 'relation "job" does not exist', times=None)

    assert await cancelled(armada, wait)

    wait_until(lambda: armada.jobs[wait.job_id].history[-1][1] == JobState.CANCELLED.value, "the cancel")


async def test_settings_that_cannot_be_used_for_a_moment_are_asked_for_again(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "sleep 600", JobState.RUNNING)
    failures = [SettingsError("the CA file is missing"), CredentialsError("no answer", transient=True)]

    async def current() -> SiteSettings:
        if failures:
            raise failures.pop()
        return settings(armada)

    assert await cancel_async(wait.job, current)


async def test_what_armada_refuses_is_not_asked_again(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "sleep 600", JobState.RUNNING)
    armada.faults.refuse("CancelJobs", StatusCode.PERMISSION_DENIED, times=None)

    with pytest.raises(PermissionDenied):
        await cancelled(armada, wait)

    assert armada.calls[CANCEL] == 1


def test_without_a_job_id_the_whole_job_set_would_be_cancelled() -> None:
    with pytest.raises(ValueError, match="whole job set"):
        cancel(JobRef("q", "set", ""), lambda: SiteSettings(target="x", tls=None), KILLED)


def test_on_a_worker_a_cancel_is_repeated_until_armada_answers(armada: StandaloneArmada) -> None:
    wait = submitted(armada, "sleep 600", JobState.RUNNING)
    armada.faults.refuse("CancelJobs", StatusCode.UNAUTHENTICATED, times=2)

    assert cancel(wait.job, lambda: settings(armada), KILLED)

    wait_until(lambda: armada.jobs[wait.job_id].history[-1][1] == JobState.CANCELLED.value, "the cancel")
