"""Kill means cancel: by exact id, within seconds, at most once, in both modes; and the log says so."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from tests.chaos.records import Findings, Job, server_jobs
from tests.chaos.world import CANCEL, TRIGGERERS, World
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until

MODES = ("deferred", "blocking")
by_mode = pytest.mark.parametrize("mode", MODES)
EXPECTED = {
    "marked_failed_deferred": "failed",
    "marked_failed_blocking": "failed",
    "marked_success_deferred": "marked success",
    "marked_success_blocking": "marked success",
    "left_alone_deferred": "failed",
    "left_alone_blocking": "failed",
    "timed_out_deferred": "failed",
    "timed_out_blocking": "failed",
    "cleared_deferred": "failed",
    "cleared_blocking": "failed",
    "terminated": "failed",
    "framework_timeout": "failed",
}
LEFT_ALONE = ("left_alone_deferred", "left_alone_blocking")
CANCELLED_WITHIN = 120.0
"""Seconds of patience; the first question in a triggerer's life takes Airflow 10 s, a minute where CPU is short."""


@pytest.fixture(scope="module")
def run(world: World) -> DagRun:
    """One run whose tasks the cases end in different ways."""
    return world.start("killed_by_user")


def started(world: World, run: DagRun, task_id: str) -> Job:
    """Wait until the job runs, and its task waits for it: Airflow tells no trigger that has not started yet."""
    job = world.wait_for_job(run, task_id)
    if not task_id.endswith("blocking") and task_id != "terminated":
        wait_for_trigger(run, task_id)
    return job


def wait_for_trigger(run: DagRun, task_id: str, try_number: int = 1) -> None:
    """Wait until a trigger says that the job runs."""
    run.wait_for_task(task_id, "deferred", deadline=90)
    what = f"the trigger of {task_id}, try {try_number}"
    wait_until(lambda: "is running on" in run.log_text(task_id, try_number), what, 90)


def wait_for_cancel(world: World, run: DagRun, task_id: str, nth: int = 1) -> None:
    wait_until(
        lambda: world.jobs(run, task_id)[nth - 1].state == "CANCELLED",
        f"job {nth} of {task_id} to be cancelled",
        CANCELLED_WITHIN,
    )


@by_mode
@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_task_cancels_its_job(world: World, run: DagRun, state: str, mode: str) -> None:
    task_id = f"marked_{state}_{mode}"
    job = started(world, run, task_id)

    run.mark_task(task_id, state)

    wait_for_cancel(world, run, task_id)
    wait_until(lambda: job.id in cancel_lines(run, task_id), f"the line about the cancel of {task_id}", 30)
    assert run.task(task_id)["state"] == state


def cancel_lines(run: DagRun, task_id: str) -> str:
    return "\n".join(line for line in run.log_text(task_id).splitlines() if "ancelled Armada job" in line)


@by_mode
def test_clearing_a_task_replaces_its_job(world: World, run: DagRun, mode: str) -> None:
    task_id = f"cleared_{mode}"
    first = started(world, run, task_id)

    run.clear([task_id])

    wait_for_cancel(world, run, task_id)
    second = world.wait_for_job(run, task_id, nth=2)
    assert second.of.number > first.of.number
    if mode == "deferred":
        wait_for_trigger(run, task_id, second.of.number)
    run.wait_for_task(task_id, "deferred" if mode == "deferred" else "running", deadline=60)
    run.mark_task(task_id, "failed")
    wait_for_cancel(world, run, task_id, nth=2)


@by_mode
def test_cancel_on_kill_false_leaves_the_job_and_says_so(world: World, run: DagRun, mode: str) -> None:
    task_id = f"left_alone_{mode}"
    job = started(world, run, task_id)

    run.mark_task(task_id, "failed")

    wait_until(lambda: "cancel_on_kill=False" in run.log_text(task_id), f"the line about the job of {task_id}", 40)
    assert world.jobs(run, task_id)[0].state == "RUNNING"
    world.cancel(job)


def test_a_worker_that_is_told_to_end_cancels_its_job(world: World, run: DagRun) -> None:
    started(world, run, "terminated")

    world.kill_worker(run, "terminated", signal.SIGTERM)

    wait_for_cancel(world, run, "terminated")


@by_mode
def test_execution_timeout_holds_across_the_deferral(world: World, run: DagRun, mode: str) -> None:
    task_id = f"timed_out_{mode}"

    assert run.wait_for_task(task_id, "failed", "success", deadline=120) == "failed"

    wait_for_cancel(world, run, task_id)
    assert "Timeout" in run.errors(task_id) or "TimedOut" in run.errors(task_id)


def test_a_deferral_that_airflow_times_out_ends_the_job(world: World, run: DagRun) -> None:
    assert run.wait_for_task("framework_timeout", "failed", "success", deadline=120) == "failed"

    wait_for_cancel(world, run, "framework_timeout")
    assert "TaskDeferralTimeout" in run.errors("framework_timeout")


@pytest.fixture(scope="module")
def findings(world: World, run: DagRun) -> Findings:
    return world.settle(run, EXPECTED, LEFT_ALONE)


def test_no_record_contradicts_another(findings: Findings) -> None:
    assert findings.problems == []


def test_a_job_is_cancelled_once(world: World, run: DagRun, findings: Findings) -> None:
    counts = {job.of.task_id: world.cancels[job.id] for job in server_jobs(world.armada, run)}
    # From Airflow 3.4 on, a trigger is not told that its deferral has timed out, and ends the job as the worker does.
    both = {"framework_timeout"} if counts.get("framework_timeout") == 2 else set()
    assert {task_id: count for task_id, count in counts.items() if count != 1 and task_id not in both} == {}


def test_a_failed_run_takes_its_jobs_with_it(world: World) -> None:
    run = world.start("run_failed")
    for mode in MODES:
        started(world, run, f"work_{mode}")

    run.mark("failed")

    for mode in MODES:
        wait_for_cancel(world, run, f"work_{mode}")
    states = {task["task_id"]: task["state"] for task in run.tasks()}
    assert world.settle(run, states).problems == []


def test_a_server_that_is_away_hears_of_the_kill_when_it_is_back(world: World) -> None:
    place = world.side_places[0]
    run = place.start("cleared_late")
    job = place.wait_for_job(run, "work")
    wait_for_trigger(run, "work")
    place.armada.disconnect()

    run.mark_task("work", "failed")
    wait_until(lambda: "Airflow has taken the trigger" in run.log_text("work"), "the trigger to be told", 60)
    time.sleep(5)  # calls fail meanwhile
    place.armada.reconnect()

    wait_until(lambda: place.jobs(run, "work")[0].state == "CANCELLED", "the cancel", CANCELLED_WITHIN)
    assert place.settle(run, {"work": "failed"}).problems == []
    assert place.cancels[job.id] == 1


def test_a_new_try_that_is_quicker_than_the_old_trigger_keeps_its_own_job(world: World) -> None:
    run = world.start("cleared_late")
    old = started(world, run, "work")
    for name in TRIGGERERS:
        world.airflow[name].pause()

    run.clear(["work"])
    new = world.wait_for_job(run, "work", nth=2)
    run.wait_for_task("work", "deferred", deadline=60)
    before = Counter(world.armada.calls)
    for name in TRIGGERERS:
        world.airflow[name].resume()
    wait_until(lambda: world.airflow.api.health()["triggerer"] == "healthy", "a triggerer", 60)
    wait_until(lambda: new.id in run.log_text("work", new.of.number), "a trigger for the new job", 60)

    assert world.jobs(run, "work")[0].state == "CANCELLED"
    assert world.jobs(run, "work")[0].id == old.id
    assert world.jobs(run, "work")[1].state == "RUNNING"
    assert world.calls_since(before)[CANCEL] == 0
    run.mark_task("work", "failed")
    assert world.settle(run, {"work": "failed"}).problems == []


def test_a_deleted_run_takes_its_job_with_it(world: World) -> None:
    run = world.start("cleared_late")
    started(world, run, "work")

    run.mark("failed")
    run.api.call("DELETE", run.path)  # before the trigger asks, as a rule: then Airflow knows of no such task

    wait_for_cancel(world, run, "work")
