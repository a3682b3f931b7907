"""On every version of Airflow: how a job ends is how its task ends, with its log and its value, whatever happens."""

from __future__ import annotations

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from tests.e2e.conftest import LOOKOUT
from tests.support.airflow_api import DagRun
from tests.support.airflow_versions import AIRFLOW
from tests.support.components import wait_until

by_mode = pytest.mark.parametrize("mode", ["deferred", "blocking"])
SUBMITTED = "Submitted Armada job "


def job_id(run: DagRun, task_id: str) -> str:
    """Return the job of a task, from the link that shows as soon as it is submitted."""
    wait_until(lambda: run.links(task_id).get("Armada Lookout"), f"the job of {task_id}", 120)
    link = str(run.links(task_id)["Armada Lookout"])
    assert link.startswith(f"{LOOKOUT}/jobs/")
    return link.rpartition("/")[2]


def wait_for_line(run: DagRun, task_id: str, line: str) -> None:
    wait_until(lambda: line in run.log_text(task_id), f"{line!r} in the log of {task_id}", 120)


def submitted(run: DagRun, task_id: str, try_number: int = 1) -> list[str]:
    """Return the jobs that a try has submitted, as its log names them."""
    return [part.split()[0] for part in run.log_text(task_id, try_number).split(SUBMITTED)[1:]]


def state_of(client: ArmadaClient, job: str) -> JobState:
    return JobState(client.get_job_status([job]).job_states[job])


def wait_for_state(client: ArmadaClient, job: str, state: JobState) -> None:
    wait_until(lambda: state_of(client, job) == state, f"job {job} to be {state.name}", 60)


@by_mode
def test_a_job_shows_its_log_while_it_runs_and_is_cancelled_with_its_task(
    run: DagRun, client: ArmadaClient, mode: str
) -> None:
    task_id = f"marked_{mode}"
    job = job_id(run, task_id)
    wait_for_line(run, task_id, "waiting")
    assert state_of(client, job) == JobState.RUNNING

    run.mark_task(task_id, "failed")

    wait_for_state(client, job, JobState.CANCELLED)
    assert run.task(task_id)["state"] == "failed"


@by_mode
def test_a_task_that_is_cleared_cancels_its_job_and_runs_another(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"cleared_{mode}"
    first = job_id(run, task_id)
    wait_for_line(run, task_id, "is running")

    run.clear([task_id])

    wait_for_state(client, first, JobState.CANCELLED)
    wait_until(lambda: run.task(task_id)["try_number"] == 2, "the next try", 120)
    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "success"
    assert "again" in run.log_text(task_id, 2).splitlines()
    assert first not in submitted(run, task_id, 2)


@by_mode
def test_a_preempted_job_is_submitted_again_within_the_try(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"preempted_{mode}"
    job = job_id(run, task_id)
    wait_for_state(client, job, JobState.RUNNING)

    client.preempt_jobs("example", f"ways.{run.run_id}", job)

    assert run.wait_for_task(task_id, "success", "failed", deadline=120) == "success"
    assert run.task(task_id)["try_number"] == 1
    assert "again" in run.log_text(task_id).splitlines()


@by_mode
def test_a_job_that_succeeds_hands_in_its_log_and_its_facts(run: DagRun, mode: str) -> None:
    task_id = f"succeeds_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "success"

    facts = run.xcom(task_id)

    assert [line for line in run.log_text(task_id).splitlines() if line in ("one", "two")] == ["one", "two"]
    assert (facts["status"], facts["job_id"]) == ("succeeded", job_id(run, task_id))


@by_mode
def test_a_job_hands_in_a_result(run: DagRun, mode: str) -> None:
    task_id = f"hands_in_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "success"

    assert run.xcom(task_id) == {"answer": 42}


@by_mode
def test_a_job_that_fails_fails_its_task_and_says_why(run: DagRun, mode: str) -> None:
    task_id = f"fails_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "failed"

    assert "it broke" in run.log_text(task_id).splitlines()
    assert "ArmadaJobFailed" in run.errors(task_id)
    assert "Exit code 3" in run.errors(task_id)
    assert "heard that it failed" in run.log_text(task_id)


@by_mode
def test_the_links_that_its_author_named_are_there_when_a_job_has_failed(run: DagRun, mode: str) -> None:
    task_id = f"fails_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "failed"

    links = run.links(task_id)

    assert links["Grafana"] == f"https://grafana.example/?job={job_id(run, task_id)}"
    assert str(links["Node"]).startswith("https://nodes.example/standalone/")


@by_mode
def test_a_second_try_is_a_second_job(run: DagRun, mode: str) -> None:
    task_id = f"second_try_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "success"

    first, second = (submitted(run, task_id, number) for number in (1, 2))

    assert len(first) == len(second) == 1
    assert first != second


def test_a_retry_after_a_lost_worker_adopts_the_job(run: DagRun) -> None:
    assert run.wait_for_task("adopts", "success", "failed", deadline=180) == "success"

    assert run.task("adopts")["try_number"] == 2
    assert submitted(run, "adopts", 1) == [job_id(run, "adopts")]
    assert submitted(run, "adopts", 2) == []
    assert "once" in run.log_text("adopts", 2).splitlines()


@by_mode
def test_a_job_that_fits_nowhere_is_not_tried_again(run: DagRun, mode: str) -> None:
    task_id = f"rejected_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "failed"

    assert run.task(task_id)["try_number"] == 1
    assert "was rejected" in run.log_text(task_id)


@by_mode
def test_a_task_out_of_time_cancels_its_job(run: DagRun, client: ArmadaClient, mode: str) -> None:
    task_id = f"out_of_time_{mode}"
    job = job_id(run, task_id)

    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "failed"

    assert state_of(client, job) == JobState.CANCELLED


@by_mode
def test_a_connection_may_be_given_as_a_uri(run: DagRun, mode: str) -> None:
    task_id = f"by_uri_{mode}"
    assert run.wait_for_task(task_id, "success", "failed", deadline=180) == "success"

    assert "reached" in run.log_text(task_id).splitlines()


@pytest.mark.skipif(AIRFLOW < (3, 4), reason="before Airflow 3.4 the log shows what an event carries")
def test_the_log_says_that_the_trigger_has_fired_and_not_what_its_event_carries(run: DagRun) -> None:
    run.wait_for_task("succeeds_deferred", "success", "failed", deadline=180)

    told = [record for record in run.log("succeeds_deferred") if "Trigger fired event" in str(record["event"])]

    assert told
    assert not [record for record in told if "result" in record or "payload" in str(record["event"])]


def test_an_operator_is_mapped(run: DagRun) -> None:
    run.wait(300)

    logs = [run.log_text("mapped", map_index=index).splitlines() for index in range(2)]

    assert ["first" in logs[0], "second" in logs[1]] == [True, True]


def test_a_function_runs_as_a_job_and_its_value_comes_back(run: DagRun) -> None:
    run.wait_for_task("add", "success", "failed", deadline=180)

    assert run.xcom("add") == 7
    assert "adding" in run.log_text("add").splitlines()


def test_a_function_gives_the_command_of_each_mapped_job(run: DagRun) -> None:
    run.wait(300)

    said = [run.log_text("say", map_index=index) for index in range(2)]

    assert ["said 7" in said[0], "said 8" in said[1]] == [True, True]
