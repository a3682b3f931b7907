"""A trigger imports gRPC and the followers in a thread: in the loop of a triggerer it would hold up all others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.triggers.test_taken_away import submitted
from tests.support.airflow_stack import armada_connection

TRIGGERER = """
import asyncio, json, sys, threading, time
import airflow.jobs.triggerer_job_runner
from airflow_armada.triggers.armada import ArmadaJobTrigger

class Imports:
    in_loop = []

    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            self.in_loop.append(name)

async def run(job_id):
    wait = {"queue": "q", "job_set_id": "set", "submitted_at": time.time(), "containers": ["base"], "get_result": True}
    trigger = ArmadaJobTrigger(armada_conn_id="armada_default", job_id=job_id, **wait)
    async for event in trigger.run():
        return event.payload["outcome"]["status"]

async def main():
    sys.meta_path.insert(0, Imports())
    return await asyncio.gather(*(run(job_id) for job_id in sys.argv[1:]))

statuses = asyncio.run(main())
print(json.dumps([statuses, [name for name in Imports.in_loop if "grpc" in name or "armada" in name]]))
"""


def test_triggers_import_in_a_thread(armada: StandaloneArmada, tmp_path: Path) -> None:
    jobs = submitted(armada, 3)
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        ArmadaClient(channel).cancel_jobs("q", "set", job_ids=jobs)

    done = subprocess.run(
        [sys.executable, "-c", TRIGGERER, *jobs],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [["cancelled"] * 3, []]
