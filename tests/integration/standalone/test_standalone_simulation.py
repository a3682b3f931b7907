"""Simulated pods: jobs without processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_armada.api import event_pb2, methods
from airflow_armada.client.typings import JobState
from airflow_armada.standalone.config import Simulation
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, wait_until

STARTED = ["submitted", "queued", "leased", "pending", "running"]
FAST = 1000.0


@pytest.fixture
def server() -> Iterator[StandaloneArmada]:
    """A server whose pods last a minute, which passes in 60 ms."""
    with StandaloneArmada(cpus=10_000, memory="10000Gi", simulate=Simulation("60", speed=FAST)) as running:
        running.create_queue(QUEUE)
        yield running


def simulated(**plan: str) -> Any:
    """Return a job with annotations for the simulation; its command could not run."""
    names = {f"simulate/{name.replace('_', '-')}": value for name, value in plan.items()}
    return job(container("no-such-command"), annotations=names)


def end(armada: Armada, **plan: str) -> Any:
    (job_id,) = armada.submit(simulated(**plan))
    return armada.end_of(job_id)


def test_a_pod_lasts_and_succeeds_without_a_process(armada: Armada) -> None:
    (job_id,) = armada.submit(simulated())

    assert armada.kinds_until(job_id) == [*STARTED, "succeeded"]
    assert armada.state(job_id) == "SUCCEEDED"


def test_it_ends_as_its_annotations_say(armada: Armada) -> None:
    failed = end(armada, exit_code="3", duration="1-5")
    assert [(one.name, one.exitCode) for one in failed.container_statuses] == [("main", 3)]
    assert "exit code 3" in failed.reason

    assert end(armada, end="oom").cause == event_pb2.OOM
    assert end(armada, end="evicted").cause == event_pb2.Evicted


def test_it_is_preempted_as_its_annotations_say(armada: Armada) -> None:
    (job_id,) = armada.submit(simulated(end="preempted"))

    assert armada.kinds_until(job_id) == [*STARTED, "preempted", "failed"]
    wait_until(lambda: armada.state(job_id) == "PREEMPTED")


def test_its_output_is_its_log(armada: Armada) -> None:
    (job_id,) = armada.submit(simulated(output="first\nsecond"))
    armada.end_of(job_id)

    assert armada.text(job_id) == "first\nsecond"


def test_an_annotation_that_makes_no_sense_fails_the_job_and_says_why(armada: Armada) -> None:
    for plan in ({"duration": "soon"}, {"exit_code": "300"}, {"end": "boom"}):
        assert f"{next(iter(plan.values()))!r}" in end(armada, **plan).reason


def test_a_deadline_ends_it(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("x"), pod={"activeDeadlineSeconds": 5}))

    assert armada.end_of(job_id).cause == event_pb2.DeadlineExceeded


def test_it_can_be_cancelled(armada: Armada) -> None:
    (job_id,) = armada.submit(simulated(duration="1000000"))
    armada.events_until(job_id, "running")

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    assert armada.kinds_until(job_id)[-2:] == ["cancelling", "cancelled"]


def test_rules_fail_and_preempt_a_part_of_the_pods() -> None:
    rules = Simulation("1", speed=FAST, failures=0.5, preemptions=0.5, seed=7)
    with StandaloneArmada(cpus=1000, memory="1000Gi", simulate=rules) as server:
        server.create_queue(QUEUE)
        armada = Armada(server.target)
        armada.submit(*[job(container("x"), pod={"priorityClassName": "armada-preemptible"})] * 100)
        wait_until(lambda: all(one.finished for one in server.jobs.values()))

        states = [JobState(one.state) for one in server.jobs.values()]

    assert 0 < states.count(JobState.SUCCEEDED) < 50
    assert 25 < states.count(JobState.PREEMPTED) < 75


def test_thousands_of_jobs_run_at_once(server: StandaloneArmada, armada: Armada) -> None:
    for _ in range(4):
        armada.submit(*[simulated()] * 500)

    wait_until(lambda: all(one.finished for one in server.jobs.values()))


def test_the_command_simulates() -> None:
    command = [sys.executable, "-m", "airflow_armada.standalone", "--port", "0", "--queue", QUEUE]
    options = ["--simulate", "--pod-duration", "30-60", "--speed", "1000"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        armada = Armada(process.stdout.readline().split()[-1])
        (job_id,) = armada.submit(simulated())
        assert armada.kinds_until(job_id)[-1] == "succeeded"
        process.terminate()

    for wrong in (["--pod-duration", "long"], ["--speed", "0"], ["--failure-rate", "2"]):
        result = subprocess.run(
            [*command, "--simulate", *wrong], capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
