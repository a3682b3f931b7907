"""How a job ends is how its task ends: on a real Airflow, deferred and blocking."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from tests.e2e.conftest import LOOKOUT
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until

MODES = ("deferred", "blocking")
by_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def run(airflow: AirflowStack) -> DagRun:
    """One run in which all ends happen side by side."""
    return airflow.api.trigger("ends")


def job_id(run: DagRun, task_id: str, map_index: int = -1) -> str:
    """Return the job of a task that still runs, from the link that shows as soon as it is submitted."""
    wait_until(lambda: run.links(task_id, map_index).get("Armada Lookout"), f"the job of {task_id}", 90)
    return str(run.links(task_id, map_index)["Armada Lookout"]).rpartition("/")[2]


def state_of(client: ArmadaClient, job: str) -> JobState:
    return JobState(client.get_job_status([job]).job_states[job])


def wait_for_state(client: ArmadaClient, job: str, state: JobState) -> None:
    wait_until(lambda: state_of(client, job) == state, f"job {job} to be {state.name}", 60)


@by_mode
def test_a_job_marked_failed_is_cancelled(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"marked_{mode}"
    run.wait_for_task(task_id, "deferred" if mode == "deferred" else "running", deadline=90)
    job = job_id(run, task_id)
    wait_for_state(client, job, JobState.RUNNING)
    # Airflow tells no trigger that has not started yet (docs/faults.md).
    wait_until(lambda: "is running" in run.log_text(task_id), f"the follower of {task_id}", 60)

    run.mark_task(task_id, "failed")

    wait_for_state(client, job, JobState.CANCELLED)
    assert run.task(task_id)["state"] == "failed"


@by_mode
def test_a_job_cancelled_by_somebody_else_fails_its_task_for_good(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"cancelled_{mode}"
    job = job_id(run, task_id)
    wait_for_state(client, job, JobState.RUNNING)

    client.cancel_jobs("example", f"ends.{run.run_id}", job, reason="not needed any more")

    assert run.wait_for_task(task_id, "failed", "success", "up_for_retry", deadline=90) == "failed"
    assert run.task(task_id)["try_number"] == 1
    assert "ArmadaJobCancelled" in run.errors(task_id)


@by_mode
def test_a_job_that_succeeds(run: DagRun, mode: str) -> None:
    task_id = f"exit_zero_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "success"

    result = run.xcom(task_id)

    assert result["status"] == "succeeded"
    assert result["queue"] == "example"
    assert result["job_set_id"] == f"ends.{run.run_id}"
    assert result["cluster"] == "standalone"
    assert result["node"]
    assert result["submitted_at"] <= result["running_at"] <= result["finished_at"]
    assert run.links(task_id) == {"Armada Lookout": f"{LOOKOUT}/jobs/{result['job_id']}"}


@by_mode
def test_a_task_asks_little_of_airflow(airflow: AirflowStack, run: DagRun, mode: str) -> None:
    """Each is a call to the API server: what is stored there is stored once, and a first try looks nothing up."""
    task_id, segments = f"exit_zero_{mode}", 2 if mode == "deferred" else 1
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "success"

    assert execution_calls(airflow, run, task_id) == {
        "run": segments,
        "state": segments,
        "rtif": 1,  # rendered templates, the job among them
        "store": 2,  # the intent, and the job's id
        "xcoms": 3,  # the job, its link, and the return value
    }


@by_mode
def test_a_job_that_exits_with_an_error(run: DagRun, mode: str) -> None:
    task_id = f"exit_three_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "failed"

    error = run.errors(task_id)

    assert "ArmadaJobFailed" in error
    assert "Exit code 3" in error
    assert "it broke" in error
    assert f"{LOOKOUT}/jobs/" in error


@by_mode
def test_a_job_that_prints_every_byte_fails_like_any_other(run: DagRun, mode: str) -> None:
    """PostgreSQL stores no NUL; an event that holds one ends the triggerer, and the next one, with all their tasks."""
    task_id = f"hostile_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "failed"

    errors = run.errors(task_id)

    assert "ArmadaJobFailed" in errors
    assert "x\N{REPLACEMENT CHARACTER}y" in errors


@by_mode
def test_a_failure_callback_gets_the_exception_with_its_facts(run: DagRun, mode: str) -> None:
    task_id = f"exit_three_{mode}"
    run.wait_for_task(task_id, "success", "failed", deadline=120)
    told = "callback: ArmadaJobFailed, exit codes {'base': 3}, queue example"

    wait_until(lambda: told in run.log_text(task_id), f"the callback of {task_id}", 30)


@by_mode
def test_a_job_that_can_never_run_is_not_tried_again(run: DagRun, mode: str) -> None:
    task_id = f"rejected_{mode}"

    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "failed"

    assert run.task(task_id)["try_number"] == 1
    assert "ArmadaJobRejected" in run.errors(task_id)


@by_mode
def test_every_line_of_a_job_is_shown_once_and_in_order(run: DagRun, mode: str) -> None:
    task_id = f"lines_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "success"

    shown = [record["event"] for record in run.log(task_id) if record.get("logger") == "armada.pod"]

    assert shown == [*(f"line {number}" for number in range(1, 301)), "the last line"]


@by_mode
@pytest.mark.parametrize(("task", "tries"), [("hopeless", 1), ("worth_a_retry", 2)])
def test_a_retry_policy_decides_by_exit_code(run: DagRun, task: str, tries: int, mode: str) -> None:
    task_id = f"{task}_{mode}"

    assert run.wait_for_task(task_id, "failed", "success", deadline=180) == "failed"

    assert run.task(task_id)["try_number"] == tries


def test_a_preempted_gang_is_submitted_again_as_a_gang(run: DagRun, client: ArmadaClient) -> None:
    jobs = [job_id(run, "gang", member) for member in (0, 1)]
    for job in jobs:
        wait_for_state(client, job, JobState.RUNNING)

    client.preempt_jobs("example", f"ends.{run.run_id}", None, job_ids=jobs)

    for member, word in ((0, "a"), (1, "b")):
        assert run.wait_for_task("gang", "failed", "success", deadline=120, map_index=member) == "success"
        assert run.task("gang", member)["try_number"] == 1
        assert word in run.log_text("gang", map_index=member).splitlines()


def test_all_tasks_of_the_run_share_one_job_set(run: DagRun) -> None:
    run.wait(180)
    results = [run.xcom(f"{end}_{mode}") for end in ("exit_zero", "lines") for mode in MODES]
    assert {result["job_set_id"] for result in results} == {f"ends.{run.run_id}"}
    assert len({result["job_id"] for result in results}) == len(results)


def execution_calls(airflow: AirflowStack, run: DagRun, task_id: str) -> Counter[str]:
    """Count the calls that workers have made for a task, by what they are for; heartbeats come by the clock."""
    instance, found = run.task(task_id)["id"], Counter[str]()
    for line in airflow["api-server"].log_file.read_text(errors="replace").splitlines():
        if match := re.search(rf"/execution/(?:task-instances|(store)/ti)/{instance}/(\w+)", line):
            found[match[1] or match[2]] += 1
        elif f"/execution/xcoms/{run.dag_id}/" in line and f"/{task_id}/" in line:
            found["xcoms"] += 1
    del found["heartbeat"]
    return found
