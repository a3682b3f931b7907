"""A worker that is killed leaves one job for its task, which the retry takes over."""

from __future__ import annotations

import pytest

from tests.chaos.records import Findings
from tests.chaos.world import World
from tests.support.airflow_api import DagRun

POINTS = ("intended", "submitted", "noted")
MODES = ("deferred", "blocking")
KILLED = {f"{point}_{mode}": {"at": point, "do": "kill"} for point in POINTS for mode in MODES} | {
    point: {"at": point, "do": "kill"} for point in ("deferring", "resuming", "finishing")
}
SUPERVISOR = {"supervisor": {"at": "submitted", "do": "kill_all"}}


@pytest.fixture(scope="module")
def run(world: World) -> DagRun:
    """One run in which all workers die, side by side."""
    return world.start("worker_killed", probes={**KILLED, **SUPERVISOR})


@pytest.fixture(scope="module")
def findings(world: World, run: DagRun) -> Findings:
    world.wait_for_job(run, "following")
    world.kill_worker(run, "following")
    return world.settle(run)


def test_no_record_contradicts_another(findings: Findings) -> None:
    assert findings.problems == []


@pytest.mark.parametrize("task_id", [*KILLED, *SUPERVISOR, "following"])
def test_the_retry_takes_over_the_one_job(world: World, run: DagRun, findings: Findings, task_id: str) -> None:
    jobs = world.jobs(run, task_id)
    task = run.task(task_id)
    assert [job.state for job in jobs] == ["SUCCEEDED"], findings.problems
    assert (task["state"], task["try_number"]) == ("success", 2)
