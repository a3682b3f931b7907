"""A trigger ends the job whose time is up itself: Airflow gives the worker that resumes seconds for it."""

from __future__ import annotations

import time
from typing import Any

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.jobs.build import build
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.support.components import wait_until


def submitted(armada: StandaloneArmada, cpus: str) -> str:
    item = build(image="busybox:1.37", cmds=["sleep", "600"], container_resources={"cpu": cpus, "memory": "16Mi"})
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        return ArmadaClient(channel).submit_jobs("q", "set", [item]).job_response_items[0].job_id


def is_cancelled(armada: StandaloneArmada, job: str) -> bool:
    return armada.jobs[job].history[-1][1] == JobState.CANCELLED.value


async def fired(job: str, **arguments: Any) -> dict[str, Any]:
    trigger = ArmadaJobTrigger(
        armada_conn_id="armada_default",
        queue="q",
        job_set_id="set",
        job_id=job,
        submitted_at=time.time(),
        get_logs=False,
        **arguments,
    )
    async for event in trigger.run():
        found: dict[str, Any] = event.payload
        return found
    raise AssertionError("no event")


async def test_a_job_that_runs_too_long_is_cancelled_before_the_event(armada: StandaloneArmada) -> None:
    job = submitted(armada, "1")

    event = await fired(job, deadline=time.time() + 3)

    assert event["outcome"]["status"] == "timed_out"
    assert event["cancelled"]
    wait_until(lambda: is_cancelled(armada, job), "the cancel", 30)


async def test_a_job_that_is_queued_too_long_is_cancelled_before_the_event(armada: StandaloneArmada) -> None:
    submitted(armada, "1")
    job = submitted(armada, "1")

    event = await fired(job, queued_deadline=time.time() + 3)

    assert event["outcome"]["status"] == "queued_too_long"
    assert event["cancelled"]
    wait_until(lambda: is_cancelled(armada, job), "the cancel", 30)


async def test_a_job_that_is_to_be_spared_is_spared(armada: StandaloneArmada) -> None:
    job = submitted(armada, "1")

    event = await fired(job, deadline=time.time() + 3, cancel_on_kill=False)

    assert "cancelled" not in event
    assert not is_cancelled(armada, job)
