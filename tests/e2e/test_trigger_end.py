"""The end of a task in the triggerer, which spares a worker: only where nothing is lost by it."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import LOOKOUT
from tests.e2e.test_ends import execution_calls
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack


@pytest.fixture(scope="module")
def run(airflow: AirflowStack) -> DagRun:
    run = airflow.api.trigger("trigger_end")
    run.wait(180)
    return run


def test_a_job_that_succeeds_takes_one_worker(airflow: AirflowStack, run: DagRun) -> None:
    assert run.task("good")["state"] == "success"
    assert execution_calls(airflow, run, "good")["run"] == 1
    assert run.task("after_good")["state"] == "success"


def test_its_log_and_link_are_there(run: DagRun) -> None:
    lines = [record["event"] for record in run.log("good") if record.get("logger") == "armada.pod"]

    assert lines == ["first", "last"]
    assert str(run.links("good")["Armada Lookout"]).startswith(f"{LOOKOUT}/jobs/")
    assert run.xcom("good", "armada_job")["queue"] == "example"


def test_a_job_that_fails_is_told_by_a_worker(airflow: AirflowStack, run: DagRun) -> None:
    assert run.task("bad")["state"] == "failed"
    assert execution_calls(airflow, run, "bad")["run"] == 2
    assert "ArmadaJobFailed" in run.errors("bad")
    assert run.task("after_bad")["state"] == "upstream_failed"
