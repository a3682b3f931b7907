"""Armada's own retries, by a policy of the queue: whatever its runs do, there is one job, and one try of the task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.api import submit_pb2
from airflow_armada.client.client import ArmadaClient
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(300)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


@pytest.fixture(scope="module", autouse=True)
def queue(armada: StandaloneArmada, client: ArmadaClient) -> Iterator[str]:
    """A queue whose jobs get a second run, however the first one fails."""
    retry = submit_pb2.RETRY_ACTION_RETRY
    client.create_retry_policy(submit_pb2.RetryPolicy(name="once-more", retry_limit=1, default_action=retry))
    armada.create_queue("stubborn", retry_policies=["once-more"])
    yield "stubborn"
    client.delete_queue("stubborn")


@both_modes
def test_a_task_succeeds_with_its_job_in_whichever_run(
    airflow: InlineAirflow, armada: StandaloneArmada, tmp_path: Path, deferrable: bool
) -> None:
    before = armada.calls["/api.Submit/SubmitJobs"]
    script = f"mkdir {tmp_path}/tried && exit 75; echo well"

    run = airflow.run(f'sh("work", {script!r}, armada_queue="stubborn", deferrable={deferrable})')

    assert run.state == "success"
    assert run.task("work")["try_number"] == 1
    assert run.pod_lines()[-1] == "well"
    assert armada.calls["/api.Submit/SubmitJobs"] == before + 1
    assert len(armada.jobs[run.result("work")["job_id"]].runs) == 2


@both_modes
def test_the_end_of_the_last_run_is_known_although_only_its_text_tells_it(
    airflow: InlineAirflow, deferrable: bool
) -> None:
    eat = "python3 -c \"x = bytearray(b'x') * (300 << 20); import time; time.sleep(60)\""

    run = airflow.run(f"""
        sh("hungry", {eat!r}, armada_queue="stubborn", deferrable={deferrable})
        sh("skipped", "exit 99", armada_queue="stubborn", deferrable={deferrable}, skip_on_exit_code=99)
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaJobOutOfMemory"
    assert text.splitlines()[0] == (
        "Out of memory at the limit of 32Mi (exit code 137, SIGKILL): Retry policy: policy retry limit exceeded (1/1)"
    )
    assert run.task("skipped")["state"] == "skipped"
