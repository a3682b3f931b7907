"""A trigger waits for settings that cannot be used, as it waits for a connection that cannot be read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.patience import Patience
from airflow_armada.client.settings import SiteSettings
from airflow_armada.hooks import armada as hooks
from airflow_armada.hooks.armada import forget_connections
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.triggers import armada as triggers
from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.support.airflow_stack import armada_connection


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandaloneArmada]:
    monkeypatch.setattr(hooks, "_FAILURE_TTL", 0.1)
    monkeypatch.setattr(triggers, "_PATIENCE", Patience(outage=60.0, first=0.1, most=0.2))
    monkeypatch.setenv("AIRFLOW__ARMADA__CONNECTION_CACHE_TTL", "0")
    forget_connections()
    with StandaloneArmada(cpus=1, memory="1Gi") as armada:
        armada.create_queue("q")
        yield armada
    forget_connections()


def submitted(armada: StandaloneArmada) -> ArmadaJobTrigger:
    spec = JobSpec(image="busybox:1.37", cmds=["true"], container_resources={"cpu": "1", "memory": "16Mi"})
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        job = ArmadaClient(channel).submit_jobs("q", "set", [build_request(spec).item]).job_response_items[0].job_id
    return ArmadaJobTrigger(
        armada_conn_id="site", queue="q", job_set_id="set", job_id=job, submitted_at=time.time(), get_logs=False
    )


async def fired(trigger: ArmadaJobTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        found: dict[str, Any] = event.payload
        return found
    raise AssertionError("no event")


@pytest.mark.parametrize("trouble", ["a file that is missing", "no connection", "a malformed connection"])
async def test_the_end_is_fired_once_the_settings_can_be_used(
    server: StandaloneArmada, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: str
) -> None:
    broken = {
        "a file that is missing": armada_connection(server.target, tls=True, ca_file=str(tmp_path / "ca.pem")),
        "no connection": "",
        "a malformed connection": '{"conn_type": "armada", "host": ""}',
    }
    monkeypatch.setenv("AIRFLOW_CONN_SITE", broken[trouble])
    waiting = asyncio.create_task(fired(submitted(server)))
    await asyncio.sleep(1.0)
    assert not waiting.done()

    monkeypatch.setenv("AIRFLOW_CONN_SITE", armada_connection(server.target))

    event = await asyncio.wait_for(waiting, 60)
    assert event["outcome"]["status"] == "succeeded"
