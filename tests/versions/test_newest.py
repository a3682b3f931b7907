"""What only Airflow 3.4 has, by three records: what ran, what Armada has, and what Airflow says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.chaos.records import server_jobs
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.airflow_versions import AIRFLOW

if AIRFLOW < (3, 4):
    pytest.skip("loops, RESCHEDULE and DAGs in YAML come with Airflow 3.4", allow_module_level=True)

SINGLE = ["single 0", "single 1", "single 2"]
MAPPED = ["mapped 0 a", "mapped 0 b", "mapped 1 a", "mapped 1 b"]


@pytest.fixture(scope="module", params=["deferred", "blocking"])
def newest(request: pytest.FixtureRequest, airflow: AirflowStack) -> DagRun:
    return airflow.api.trigger(f"newest_{request.param}")


def job_names(armada: StandaloneArmada, run: DagRun) -> list[str]:
    """Return the task of each job of a run that Armada knows."""
    return [job.of.task_id for job in server_jobs(armada, run)]


def test_every_pass_of_a_loop_has_a_job_of_its_own(newest: DagRun, armada: StandaloneArmada, ledger: Path) -> None:
    assert newest.wait(400) == "success"

    ran = Path(f"{ledger}.{newest.dag_id}").read_text().splitlines()
    jobs = Counter(job_names(armada, newest))

    assert Counter(line for line in ran if line != "given_back") == Counter([*SINGLE, *MAPPED])
    assert (jobs["single.one"], jobs["several.each"]) == (len(SINGLE), len(MAPPED))


def test_a_try_that_is_given_back_runs_a_new_job_and_uses_no_retry(
    newest: DagRun, armada: StandaloneArmada, ledger: Path
) -> None:
    assert newest.wait_for_task("given_back", "success", "failed", deadline=400) == "success"

    ran = Path(f"{ledger}.{newest.dag_id}").read_text().splitlines()

    assert newest.task("given_back")["try_number"] == 1
    assert ran.count("given_back") == job_names(armada, newest).count("given_back") == 3


def test_the_example_of_a_loop_stops_when_its_result_is_good_enough(
    airflow: AirflowStack, armada: StandaloneArmada
) -> None:
    run = airflow.api.trigger("armada_loop")

    assert run.wait(300) == "success"

    assert job_names(armada, run) == ["refine.improve"] * 4


def test_a_dag_in_yaml_runs_jobs(airflow: AirflowStack) -> None:
    run = airflow.api.trigger("armada_yaml")

    assert run.wait(240) == "success"

    assert run.xcom("count") == {"rows": 42}
    assert f"{run.run_id} counted 42 rows" in run.log_text("tell").splitlines()
