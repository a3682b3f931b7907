"""What a retry does with the job of the try before it."""

from __future__ import annotations

import pytest

from tests.chaos.records import Findings
from tests.chaos.world import World
from tests.support.airflow_api import DagRun

NOTED = {"at": "noted", "do": "kill"}
RESUMING = {"at": "resuming", "do": "kill"}
PROBES = {
    "adopts_running": NOTED,
    "adopts_succeeded": RESUMING,
    "never_adopts": NOTED,
    "adopts_only_running": RESUMING,
}
EXIT_CODES = {"replaces_failed_deferred": [3, 0], "replaces_failed_blocking": [3, 0]}
ENDS = {
    "adopts_running": ["SUCCEEDED"],
    "adopts_succeeded": ["SUCCEEDED"],
    "replaces_failed_deferred": ["FAILED", "SUCCEEDED"],
    "replaces_failed_blocking": ["FAILED", "SUCCEEDED"],
    "never_adopts": ["CANCELLED", "SUCCEEDED"],
    "adopts_only_running": ["SUCCEEDED", "SUCCEEDED"],
}


@pytest.fixture(scope="module")
def run(world: World) -> DagRun:
    """One run whose tasks all need a second try."""
    return world.start("retried", probes=PROBES, exit_codes=EXIT_CODES)


@pytest.fixture(scope="module")
def findings(world: World, run: DagRun) -> Findings:
    # Its policy lets it run again although it has succeeded.
    return world.settle(run, repeated=["adopts_only_running"])


def test_no_record_contradicts_another(findings: Findings) -> None:
    assert findings.problems == []


@pytest.mark.parametrize("task_id", ENDS)
def test_jobs_are_adopted_or_replaced_by_rule(world: World, run: DagRun, findings: Findings, task_id: str) -> None:
    assert [job.state for job in world.jobs(run, task_id)] == ENDS[task_id]
    assert (run.task(task_id)["state"], run.task(task_id)["try_number"]) == ("success", 2)
