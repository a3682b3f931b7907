"""Jobs of async tasks, on every version that has such tasks: none is left, however the task ends."""

from __future__ import annotations

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.airflow_versions import AIRFLOW
from tests.support.components import wait_until
from tests.versions.test_ways import submitted, wait_for_line, wait_for_state

pytestmark = pytest.mark.skipif(AIRFLOW < (3, 2), reason="async tasks came with Airflow 3.2")


@pytest.fixture(scope="module")
def run(airflow: AirflowStack) -> DagRun:
    return airflow.api.trigger("async_ways")


def jobs(run: DagRun, task_id: str, number: int = 1) -> list[str]:
    run.wait_for_task(task_id, "running", "success", "failed", deadline=180)
    wait_until(lambda: len(submitted(run, task_id)) >= number, f"the jobs of {task_id}", 120)
    return submitted(run, task_id)


def states(client: ArmadaClient, *job_ids: str) -> set[JobState]:
    return {JobState(state) for state in client.get_job_status(job_ids).job_states.values()}


def test_a_task_that_is_killed_cancels_its_job(run: DagRun, client: ArmadaClient) -> None:
    job = jobs(run, "is_killed")[0]
    wait_for_line(run, "is_killed", "waiting")

    run.mark_task("is_killed", "failed")

    wait_for_state(client, job, JobState.CANCELLED)
    assert run.task("is_killed")["state"] == "failed"


def test_a_task_whose_time_is_up_cancels_its_job(run: DagRun, client: ArmadaClient) -> None:
    job = jobs(run, "runs_out_of_time")[0]

    assert run.wait_for_task("runs_out_of_time", "success", "failed", deadline=180) == "failed"
    wait_for_state(client, job, JobState.CANCELLED)


def test_jobs_that_run_at_once_hand_in_their_results(run: DagRun) -> None:
    assert run.wait_for_task("gathers", "success", "failed", deadline=180) == "success"

    assert run.xcom("gathers") == [1, 2, 3]


def test_a_job_that_fails_is_told_and_its_sibling_is_cancelled_with_the_task(run: DagRun, client: ArmadaClient) -> None:
    left, broken = jobs(run, "loses_a_sibling", 2)

    assert run.wait_for_task("loses_a_sibling", "success", "failed", deadline=180) == "failed"

    assert "ArmadaJobFailed" in run.errors("loses_a_sibling")
    assert "it broke" in run.log_text("loses_a_sibling").splitlines()
    wait_until(lambda: states(client, left, broken) == {JobState.CANCELLED, JobState.FAILED}, "the sibling to end", 60)
