"""Every example DAG runs on a real Airflow and does what its docstring says."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack

SUBMIT = "/api.Submit/SubmitJobs"
STREAM = "/api.Event/GetJobSetEvents"


def pod_lines(run: DagRun, task_id: str) -> list[str]:
    """Return what the job of a task wrote, as its task log shows it."""
    return [record["event"] for record in run.log(task_id) if record.get("logger") == "armada.pod"]


def test_hello(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_hello")

    assert run.wait() == "success"

    assert pod_lines(run, "hello") == ["Hello", "from", "Armada"]


def test_both_ways_to_wait(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_deferrable")

    assert run.wait() == "success"

    assert pod_lines(run, "deferred") == ["deferred: 1", "deferred: 2", "deferred: 3"]
    assert pod_lines(run, "blocking") == ["blocking: 1", "blocking: 2", "blocking: 3"]
    report = run.log_text("report")
    assert run.xcom("deferred")["job_id"] in report
    assert run.xcom("blocking")["job_id"] in report


def test_failing(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_failing")

    assert run.wait() == "failed"

    assert pod_lines(run, "divide") == ["dividing by zero"]


def test_preemption(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_preemption")

    assert run.wait(240) == "success"

    patient, urgent = run.xcom("patient"), run.xcom("urgent")
    assert pod_lines(run, "patient") == ["working", "working", "done"]
    assert "preempted" in run.log_text("patient")
    assert patient["running_at"] > urgent["running_at"]
    assert run.task("patient")["try_number"] == 1


@pytest.mark.timeout(1200)
def test_the_job_as_it_was_sent_is_still_shown_after_the_task_was_deferred(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_forms", conf={"day": "2000-01-01"})

    assert run.wait() == "success"

    for form in ("short_form", "yaml_file", "message"):
        assert pod_lines(run, form) == [f"{form} on 2000-01-01"]
        shown = run.task(form)["rendered_fields"]["rendered_job"]
        assert f"value: {form}\n" in shown
        assert "2000-01-01" in shown


def test_several_containers_and_a_gang(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_several")

    assert run.wait() == "success"

    records = [one for one in run.log("two_containers") if one.get("logger") == "armada.pod"]
    assert {(one["container"], one["event"]) for one in records} == {
        ("base", "written by the main container"),
        ("helper", "written by the helper"),
    }
    first, second = (run.xcom("gang", map_index=index) for index in (0, 1))
    assert first["job_set_id"] == second["job_set_id"]
    assert max(first["leased_at"], second["leased_at"]) <= min(first["finished_at"], second["finished_at"])


@pytest.mark.parametrize("jobs", [200])
def test_mapped_tasks_share_one_event_stream(airflow: AirflowStack, armada: StandaloneArmada, jobs: int) -> None:
    before = Counter(armada.calls)

    run = airflow.api.trigger("armada_mapped", conf={"jobs": jobs})

    assert run.wait(1100) == "success"
    work = [task for task in run.tasks() if task["task_id"] == "work"]
    assert [task["try_number"] for task in work] == [1] * jobs
    calls = Counter(armada.calls) - before
    assert calls[SUBMIT] == jobs
    assert calls[STREAM] == 1
    ids = {run.xcom("work", map_index=task["map_index"])["job_id"] for task in work}
    assert len(ids) == jobs
