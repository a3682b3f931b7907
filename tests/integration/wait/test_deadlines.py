"""A trigger that starts again, and a worker that takes a job over, ask before a deadline of the past decides."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_armada.client.job_ref import JobRef
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.wait.following import wait_for_job
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.task_log import TaskLogReporter
from tests.integration.follow.conftest import until
from tests.integration.follow.scripted import DETAILS, ScriptedArmada, scripted_armada

JOB = JobRef("q", "set", "01m8dvw8ypp12th85vdjhx7y6d")

modes = pytest.mark.parametrize("triggerer", [True, False], ids=["deferrable", "blocking"])
ages = pytest.mark.parametrize("age", [45.0, 7200.0], ids=["a restart", "a long absence"])


async def status(armada: ScriptedArmada, triggerer: bool, age: float) -> str:
    submitted = time.time() - age
    wait = JobWait(
        "armada_default", JOB, submitted, get_logs=False, queued_deadline=submitted + 30, deadline=submitted + 40
    )
    reporter = TaskLogReporter()
    source = ArmadaHook(wait.armada_conn_id).source()
    outcome = await asyncio.wait_for(wait_for_job(wait, armada.settings(), source, reporter, budget=triggerer), 60)
    await reporter.flush()
    return outcome.status


@modes
@ages
async def test_a_job_that_has_succeeded_meanwhile_has_succeeded(triggerer: bool, age: float) -> None:
    async with scripted_armada() as armada:
        armada.emit(*JOB, "running", at=time.time() - age + 5, cluster_id="c1")
        armada.emit(*JOB, "succeeded", at=time.time() - age + 35)
        armada.know(JOB.job_id, "RUNNING", at=time.time() - age + 5)

        assert await status(armada, triggerer, age) == "succeeded"


@modes
@ages
async def test_a_job_that_runs_is_not_queued_too_long(triggerer: bool, age: float) -> None:
    async with scripted_armada() as armada:
        armada.emit(*JOB, "running", at=time.time() - age + 5, cluster_id="c1")
        armada.know(JOB.job_id, "QUEUED", at=time.time() - age)

        assert await status(armada, triggerer, age) == "timed_out"
        assert armada.calls[DETAILS] <= 3


@modes
async def test_a_job_that_still_waits_is_given_up(triggerer: bool) -> None:
    async with scripted_armada() as armada:
        submitted = time.time()
        armada.emit(*JOB, "queued")
        armada.know(JOB.job_id, "QUEUED")
        wait = JobWait("armada_default", JOB, submitted, get_logs=False, queued_deadline=submitted + 0.5)
        reporter = TaskLogReporter()
        source = ArmadaHook(wait.armada_conn_id).source()
        task = asyncio.create_task(wait_for_job(wait, armada.settings(), source, reporter, budget=triggerer))
        await until(lambda: armada.calls[DETAILS])

        assert (await asyncio.wait_for(task, 60)).status == "queued_too_long"
