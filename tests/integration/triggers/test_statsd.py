"""What a StatsD server is sent by Airflow's own clients of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_stack import armada_connection
from tests.support.components import wait_until
from tests.support.statsd import StatsdListener

SEND = """
import time
from airflow_armada import _metrics
from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.metrics import count_end
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
wait = JobWait("armada_default", JobRef("research", "set", "01k9"), submitted_at=time.time() - 60)
finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
count_end(wait, Outcome("failed", "01k9", finished_at=finished))
_metrics.gauge(_metrics.JOBS_FOLLOWED, 7, site="armada.example:443")
"""
# A triggerer sets up the metrics of Airflow's core; those of the task SDK, which a trigger uses, have to be there too.
TRIGGERER = """
import asyncio, sys, time
from airflow.observability import stats
from airflow.observability.metrics import stats_utils
from airflow_armada.triggers.armada import ArmadaJobTrigger

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


async def follow():
    trigger = ArmadaJobTrigger(
        armada_conn_id="site", queue="q", job_set_id="set", job_id=sys.argv[1], submitted_at=time.time(), get_logs=False
    )
    async for event in trigger.run():
        print(event.payload["outcome"]["status"])


asyncio.run(follow())
"""


def sent(tmp_path: Path, **settings: str) -> list[str]:
    with StatsdListener() as statsd:
        environment = {**os.environ, **statsd.environment(tmp_path / "statsd"), **settings}
        environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).resolve().parents[3])
        subprocess.run([sys.executable, "-c", SEND], env=environment, check=True, timeout=120)
        wait_until(lambda: "armada.jobs_followed" in " ".join(statsd.lines), "the metrics", 30)
    return statsd.lines


def test_plain_statsd_is_told_the_status_by_the_name(tmp_path: Path) -> None:
    lines = sent(tmp_path)

    assert "airflow.armada.job_end:1|c" in lines
    assert "airflow.armada.job_end.failed:1|c" in lines
    assert "airflow.armada.jobs_followed:7|g" in lines
    assert [line for line in lines if re.fullmatch(r"airflow\.armada\.job_time:(59|60|61)\d{3}\.\d+\|ms", line)]


def test_a_statsd_that_knows_tags_is_told_them(tmp_path: Path) -> None:
    lines = sent(tmp_path, AIRFLOW__METRICS__STATSD_DATADOG_ENABLED="True")

    ends = [line for line in lines if line.startswith("airflow.armada.job_end:1|c|#")]
    assert ends
    assert {"queue:research", "status:failed"} <= set(ends[0].partition("#")[2].split(","))


def test_the_form_of_influx_has_them_in_the_name(tmp_path: Path) -> None:
    lines = sent(tmp_path, AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED="True")

    assert "airflow.armada.job_end,queue=research,status=failed:1|c" in lines
    assert "airflow.armada.jobs_followed,site=armada.example_443:7|g" in lines


def test_what_a_trigger_counts_arrives(tmp_path: Path) -> None:
    spec = JobSpec(image="busybox:1.37", cmds=["true"], container_resources={"cpu": "1", "memory": "16Mi"})
    with StandaloneArmada(cpus=1, memory="1Gi") as armada, StatsdListener() as statsd:
        armada.create_queue("q")
        with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
            answer = ArmadaClient(channel).submit_jobs("q", "set", [build_request(spec).item])
        environment = {
            **os.environ,
            **statsd.environment(tmp_path / "statsd"),
            "AIRFLOW_CONN_SITE": armada_connection(armada.target),
        }
        environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).resolve().parents[3])
        subprocess.run(
            [sys.executable, "-c", TRIGGERER, answer.job_response_items[0].job_id],
            env=environment,
            check=True,
            timeout=120,
        )
        wanted = {"armada.jobs_followed", "armada.streams_open", "armada.events"}
        wait_until(lambda: wanted <= statsd.names(), "the metrics", 30)
