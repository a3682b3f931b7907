"""What a job has printed as its result is what its task returns, whoever dies meanwhile."""

from __future__ import annotations

import time

import grpc
import pytest

from tests.chaos.records import Findings
from tests.chaos.world import World
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until

POINTS = ("noted", "deferring", "resuming", "finishing")
KILLED = [f"{point}_{kind}" for point in POINTS for kind in ("deferred", "silent")] + ["noted_blocking"]
OUTAGE = 50.0
"""Seconds for which the log service refuses: longer than the end of an ordinary log is waited for."""


def printed(world: World, run: DagRun, task_id: str) -> list[int]:
    """Return try and resubmission of the last job of a task: what it has printed as its result."""
    last = world.jobs(run, task_id)[-1]
    return [last.of.number, last.resubmission]


def shown(run: DagRun, task_id: str, number: int = 1) -> list[str]:
    """Return the job's own lines in a task log."""
    return [record["event"] for record in run.log(task_id, number) if record.get("logger") == "armada.pod"]


@pytest.fixture(scope="module")
def killed(world: World) -> DagRun:
    """One run in which all workers die, side by side."""
    return world.start("results_killed", probes={task: {"at": task.partition("_")[0], "do": "kill"} for task in KILLED})


@pytest.fixture(scope="module")
def findings(world: World, killed: DagRun) -> Findings:
    world.wait_for_job(killed, "following_blocking")
    world.kill_worker(killed, "following_blocking")
    return world.settle(killed)


@pytest.mark.parametrize("task_id", [*KILLED, "following_blocking"])
def test_the_next_try_returns_the_result_of_the_one_job(
    world: World, killed: DagRun, findings: Findings, task_id: str
) -> None:
    assert findings.problems == []
    assert [job.state for job in world.jobs(killed, task_id)] == ["SUCCEEDED"]
    assert killed.task(task_id)["try_number"] == 2
    assert killed.xcom(task_id) == [1, 0]


def test_a_triggerer_is_killed_after_it_has_seen_the_result(world: World) -> None:
    run = world.start("results_replaced")
    for task_id in ("deferred", "last"):
        world.wait_for_job(run, task_id)
        wait_until(lambda task_id=task_id: "working" in shown(run, task_id), f"the log of {task_id}", 120)
    world.wait_for_job(run, "silent")
    name = world.serving_triggerer()

    world.airflow[name].kill9()
    world.airflow[name].start()

    assert world.settle(run).problems == []
    assert {task: run.xcom(task) for task in run.states()} == {"deferred": [1, 0], "silent": [1, 0], "last": [1, 0]}
    assert not any("armada-result" in line for task in run.states() for line in shown(run, task))


def test_a_job_that_is_submitted_again_after_its_preemption_prints_the_result_that_counts(world: World) -> None:
    run = world.start("results_preempted")
    for task_id in ("deferred", "blocking"):
        job = world.wait_for_job(run, task_id)
        wait_until(lambda task_id=task_id: "working" in shown(run, task_id), f"the log of {task_id}", 120)
        world.disturb("preempt", job)

    assert world.settle(run).problems == []
    for task_id in ("deferred", "blocking"):
        assert [job.state for job in world.jobs(run, task_id)] == ["PREEMPTED", "SUCCEEDED"]
        assert run.xcom(task_id) == printed(world, run, task_id) == [1, 1]


def test_a_log_service_that_refuses_around_the_end_is_waited_for(world: World) -> None:
    run = world.start("results_refused")
    tasks = ("deferred", "silent", "blocking")
    for task_id in tasks:
        world.wait_for_job(run, task_id)

    world.armada.faults.refuse("Logs", grpc.StatusCode.UNAVAILABLE, "no upstream", times=None)
    for task_id in tasks:
        world.wait_for_job(run, task_id, "SUCCEEDED")
    time.sleep(OUTAGE)
    world.armada.faults.clear()

    assert world.settle(run).problems == []
    assert {task: run.xcom(task) for task in tasks} == {task: [1, 0] for task in tasks}
    assert [task["try_number"] for task in run.tasks()] == [1, 1, 1]


def test_a_retry_whose_job_has_succeeded_and_whose_result_is_gone_with_its_pod_makes_it_anew(world: World) -> None:
    run = world.start("results_gone", probes={"taken_over": {"at": "resuming", "do": "hold"}})
    hold = world.folder / "holds" / f"{run.run_id}.taken_over.-1.1.resuming"
    wait_until(hold.exists, "the worker that resumes", 120)
    (job,) = world.jobs(run, "taken_over")

    world.armada.call(lambda engine: engine.pods.delete(engine.store.jobs[job.id]))
    world.kill_worker(run, "taken_over")

    assert world.settle(run, repeated=["taken_over"]).problems == []
    assert [one.state for one in world.jobs(run, "taken_over")] == ["SUCCEEDED", "SUCCEEDED"]
    assert run.task("taken_over")["try_number"] == 2
    assert run.xcom("taken_over") == printed(world, run, "taken_over") == [2, 0]
