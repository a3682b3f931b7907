"""Ends that are nobody's fault have a budget of their own, and queueing has a limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.records import Findings
from tests.chaos.world import World
from tests.support.airflow_api import DagRun

DISTURBED = {
    "preempted_deferred": ("preempt", 2),
    "preempted_blocking": ("preempt", 2),
    "preempted_too_often": ("preempt", 2),
    "preempted_without_budget": ("preempt", 1),
    "evicted": ("evict", 1),
    "lease_expired": ("expire_lease", 1),
}
ENDS = {
    "preempted_deferred": ["PREEMPTED", "PREEMPTED", "SUCCEEDED"],
    "preempted_blocking": ["PREEMPTED", "PREEMPTED", "SUCCEEDED"],
    "preempted_too_often": ["PREEMPTED", "PREEMPTED"],
    "preempted_without_budget": ["PREEMPTED"],
    "evicted": ["FAILED", "SUCCEEDED"],
    "lease_expired": ["FAILED", "SUCCEEDED"],
}
FAILED = {"preempted_too_often": "failed", "preempted_without_budget": "failed"}


@pytest.fixture(scope="module")
def run(world: World) -> DagRun:
    return world.start("disturbed")


@pytest.fixture(scope="module")
def findings(world: World, run: DagRun) -> Findings:
    def disturb(task_id: str) -> None:
        disturbance, times = DISTURBED[task_id]
        for nth in range(1, times + 1):
            world.disturb(disturbance, world.wait_for_job(run, task_id, nth=nth))

    # Side by side: a job that waited for its turn to be disturbed might have ended by then.
    with ThreadPoolExecutor(len(DISTURBED)) as pool:
        list(pool.map(disturb, DISTURBED))
    return world.settle(run, FAILED)


def test_no_record_contradicts_another(findings: Findings) -> None:
    assert findings.problems == []


@pytest.mark.parametrize("task_id", ENDS)
def test_the_budget_is_used_within_the_try(world: World, run: DagRun, findings: Findings, task_id: str) -> None:
    jobs = world.jobs(run, task_id)
    assert [job.state for job in jobs] == ENDS[task_id]
    assert [job.resubmission for job in jobs] == list(range(len(jobs)))
    assert run.task(task_id)["try_number"] == 1


def test_a_job_that_queues_too_long_is_cancelled_with_the_schedulers_reason(world: World) -> None:
    holder = world.start("holder")
    world.wait_for_job(holder, "holder")
    run = world.start("queued")
    tasks = ("waiting_deferred", "waiting_blocking")

    for task_id in tasks:
        assert run.wait_for_task(task_id, "failed", "success", deadline=120) == "failed"

    for task_id in tasks:
        error = run.errors(task_id)
        assert "ArmadaJobQueuedTooLong" in error
        assert "no node has room for it now" in error
        assert [job.state for job in world.jobs(run, task_id)] == ["CANCELLED"]
    assert world.settle(run, dict.fromkeys(tasks, "failed")).problems == []
    assert world.settle(holder).problems == []
