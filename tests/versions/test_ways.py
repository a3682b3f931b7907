"""On this version of Airflow, as on the newest: how a job ends is how its task ends, with its log and its value."""

from __future__ import annotations

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from tests.e2e.conftest import LOOKOUT
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until

by_mode = pytest.mark.parametrize("mode", ["deferred", "blocking"])


def job_id(run: DagRun, task_id: str) -> str:
    """Return the job of a task, from the link that shows as soon as it is submitted."""
    wait_until(lambda: run.links(task_id).get("Armada Lookout"), f"the job of {task_id}", 120)
    link = str(run.links(task_id)["Armada Lookout"])
    assert link.startswith(f"{LOOKOUT}/jobs/")
    return link.rpartition("/")[2]


def state_of(client: ArmadaClient, job: str) -> JobState:
    return JobState(client.get_job_status([job]).job_states[job])


@by_mode
def test_a_task_that_is_marked_cancels_its_job(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"marked_{mode}"
    job = job_id(run, task_id)
    wait_until(lambda: "is running" in run.log_text(task_id), f"the follower of {task_id}", 120)

    run.mark_task(task_id, "failed")

    wait_until(lambda: state_of(client, job) == JobState.CANCELLED, f"job {job} to be cancelled", 60)
    assert run.task(task_id)["state"] == "failed"


@by_mode
def test_a_job_that_succeeds_hands_in_its_log_and_its_facts(run: DagRun, mode: str) -> None:
    task_id = f"succeeds_{mode}"
    run.wait_for_task(task_id, "success", "failed", deadline=180)

    facts = run.xcom(task_id)

    assert run.task(task_id)["state"] == "success"
    assert [line for line in run.log_text(task_id).splitlines() if line in ("one", "two")] == ["one", "two"]
    assert (facts["status"], facts["job_id"]) == ("succeeded", job_id(run, task_id))


@by_mode
def test_a_job_that_fails_fails_its_task(run: DagRun, mode: str) -> None:
    task_id = f"fails_{mode}"
    run.wait_for_task(task_id, "success", "failed", deadline=180)

    assert run.task(task_id)["state"] == "failed"
    assert "it broke" in run.log_text(task_id)
    assert "exited with 3" in run.log_text(task_id)


@by_mode
def test_a_second_try_is_a_second_job(run: DagRun, mode: str) -> None:
    task_id = f"second_try_{mode}"
    run.wait_for_task(task_id, "success", "failed", deadline=180)

    jobs = {run.log_text(task_id, number).partition("Submitted Armada job ")[2].split()[0] for number in (1, 2)}

    assert run.task(task_id)["state"] == "success"
    assert len(jobs) == 2


@by_mode
def test_a_job_that_fits_nowhere_is_not_tried_again(run: DagRun, mode: str) -> None:
    task_id = f"rejected_{mode}"
    run.wait_for_task(task_id, "success", "failed", deadline=180)

    assert (run.task(task_id)["state"], run.task(task_id)["try_number"]) == ("failed", 1)
    assert "was rejected" in run.log_text(task_id)


@by_mode
def test_a_task_out_of_time_cancels_its_job(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"out_of_time_{mode}"
    job = job_id(run, task_id)

    run.wait_for_task(task_id, "success", "failed", deadline=180)

    assert run.task(task_id)["state"] == "failed"
    assert state_of(client, job) == JobState.CANCELLED


def test_a_function_runs_as_a_job_and_its_value_comes_back(run: DagRun) -> None:
    run.wait_for_task("add", "success", "failed", deadline=180)

    assert run.xcom("add") == 7
    assert "adding" in run.log_text("add").splitlines()


def test_a_function_gives_the_command_of_each_mapped_job(run: DagRun) -> None:
    run.wait(240)

    said = [run.log_text("say", map_index=index) for index in range(2)]

    assert ["said 7" in said[0], "said 8" in said[1]] == [True, True]
