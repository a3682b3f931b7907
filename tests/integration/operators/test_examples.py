"""The examples run as they are, read the way Airflow reads DAG files; those about a whole Airflow are in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_armada.client.client import ArmadaClient
from tests.integration.operators.conftest import Finished, InlineAirflow

pytestmark = pytest.mark.timeout(600)
README = Path(__file__).resolve().parents[3] / "README.md"

FORMS = {
    "short_form",
    "manifest",
    "yaml_text",
    "yaml_file",
    "armadactl_file",
    "message",
    "function",
    "kubernetes_model",
}


@pytest.fixture(scope="module")
def forms(airflow: InlineAirflow) -> Finished:
    return airflow.run_example("forms", "armada_forms")


def test_every_form_means_the_same(forms: Finished, client: ArmadaClient) -> None:
    run = forms

    assert run.state == "success"
    lines = [line.split(" on ") for line in run.pod_lines()]
    assert {form for form, _ in lines} == FORMS
    assert len({day for _, day in lines}) == 1
    assert run.result("armadactl_file")["job_set_id"] == "examples"
    job_id = run.result("yaml_file")["job_id"]
    details = client.get_job_details([job_id], expand_job_spec=True).job_details[job_id]
    assert details.job_spec.labels["day"] == lines[0][1]


def test_every_job_is_shown_as_it_was_sent(forms: Finished) -> None:
    run = forms

    for form in FORMS:
        shown = run.task(form)["rendered"]["rendered_job"]
        assert "queue: example\n" in shown
        assert f"value: {form}\n" in shown
    dry = run.task("dry_run")
    assert dry["xcoms"]["return_value"]["request"].endswith(dry["rendered"]["rendered_job"])
    assert "Dry run: this is what would be submitted" in run.messages()


def test_functions_and_results(airflow: InlineAirflow) -> None:
    run = airflow.run_example("functions", "armada_functions")

    assert run.state == "success"
    assert run.result("total") == 14
    assert f"the sum of the squares is 14 in {run.run_id}" in run.pod_lines()
    assert run.result("rows") == {"rows": 42}


def test_an_async_task_fans_out_over_jobs(airflow: InlineAirflow) -> None:
    run = airflow.run_example("async_fan_out", "armada_async_fan_out")

    assert run.state == "success"
    assert run.result("squares") == {"2": 4, "3": 9, "4": 16}
    assert run.pod_lines() == ["working"] * 3


def test_the_first_example_of_the_readme_is_five_lines_and_works_as_it_stands(airflow: InlineAirflow) -> None:
    example = README.read_text().split("```python\n")[1].split("```")[0]

    run = airflow.run_file(example, "hello")

    assert len(example.splitlines()) == 5
    assert run.state == "success"
    assert run.pod_lines() == ["Hello from Armada"]
