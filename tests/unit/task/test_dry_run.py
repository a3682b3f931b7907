"""``operator.dry_run()`` shows a job and checks it, with neither a run nor a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, task

from airflow_armada.decorators.armada import armada_task
from airflow_armada.operators.armada import ArmadaOperator


def operator(**arguments: Any) -> ArmadaOperator:
    with DAG("d", schedule=None):
        return ArmadaOperator(**{"task_id": "t", "armada_queue": "q", "image": "busybox:1.37", **arguments})


def test_it_prints_a_file_that_armadactl_can_submit(capsys: pytest.CaptureFixture[str]) -> None:
    made = operator(cmds=["echo", "{{ ds }}"], env_vars={"API_TOKEN": "abc", "DAY": "{{ ds }}"})

    made.dry_run()

    text = capsys.readouterr().out
    assert "# container 'base': no resources given, using cpu 1, memory 1Gi" in text
    shown = yaml.safe_load(text)
    (container,) = shown["jobs"][0]["podSpec"]["containers"]
    assert shown["queue"] == "q"
    assert container["command"] == ["echo", "{{ ds }}"]
    assert {"name": "API_TOKEN", "value": "***"} in container["env"]
    assert {"name": "DAY", "value": "{{ ds }}"} in container["env"]


def test_it_tells_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    made = operator()
    made.labels = {"team": "a b"}

    with pytest.raises(ValueError, match=r"labels\['team'\]"):
        made.dry_run()
    assert capsys.readouterr().out == ""


def test_it_shows_neither_long_values_nor_functions(capsys: pytest.CaptureFixture[str]) -> None:
    operator(env_vars={"LONG": "x" * 5000}).dry_run()

    assert "value: (5000 characters)" in capsys.readouterr().out


def test_what_only_a_run_knows_is_left_out_and_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text("containers: [{name: main, image: 'busybox:{{ params.tag }}'}]")
    with DAG("d", schedule=None, template_searchpath=[str(tmp_path)]):
        made = ArmadaOperator(
            task_id="t",
            armada_queue="q",
            pod_spec="pod.yaml",
            job_request=lambda context: {"podSpec": {}},
            priority="{{ params.priority }}",
            env_vars=upstream(),
            labels={"day": "{{ ds }}"},
        )

    made.dry_run()

    text = capsys.readouterr().out
    for name in ("job_request", "priority", "env_vars"):
        assert f"# {name} is known only in a run, and left out here" in text
    (job,) = yaml.safe_load(text)["jobs"]
    assert job["podSpec"]["containers"][0]["image"] == "busybox:{{ params.tag }}"
    assert job["labels"]["day"] == "{{ ds }}"
    assert made.priority == "{{ params.priority }}"


def test_a_function_whose_arguments_only_a_run_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with DAG("d", schedule=None):
        made = armada_task(armada_queue="q", image="python:3.12")(double)(upstream())

    made.operator.dry_run()

    text = capsys.readouterr().out
    assert "# what the function makes of the job is known only in a run: argument 0 is of type" in text
    assert yaml.safe_load(text)["jobs"][0]["podSpec"]["containers"][0]["image"] == "python:3.12"


def double(number: int) -> int:
    return 2 * number


@task
def upstream() -> dict[str, str]:
    return {}


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        ("{containers: [{name: a, image: b, comand: [true]}]}", "did you mean command?"),
        ("{containers: [{name: a, image: b, imagePullPolicy: always, args: ['{{ ds }}']}]}", "write Always"),
        ("{containers: [{name: a, image: b, resources: {limits: {memory: 4GB}}}]}", "write 4G"),
        ("{containers: [{name: a, image: b, args: ['{{ ds }']}]}", "not a valid template"),
        ("containers:\n- name: a\n image: b", "not valid YAML at line 3"),
        (
            "containers:\n{% for name in params.names }\n- name: {{ name }}\n{% endfor %}",
            "not a valid template in line",
        ),
    ],
)
def test_a_template_file_is_checked_as_far_as_it_is_known(pod: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod)
    with DAG("d", schedule=None, template_searchpath=[str(tmp_path)]):
        by_name = ArmadaOperator(task_id="t", armada_queue="q", pod_spec="pod.yaml")
        by_path = ArmadaOperator(task_id="u", armada_queue="q", pod_spec=str(tmp_path / "pod.yaml"))

    for made in (by_name, by_path):
        with pytest.raises(ValueError, match=r"pod_?[sS]pec") as raised:
            made.dry_run()
        assert says in str(raised.value)


def test_a_template_file_that_only_a_run_can_read_is_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "pod.yaml").write_text("containers:\n{% for name in params.names %}\n- name: {{ name }}\n{% endfor %}")

    operator(image=None, pod_spec=str(tmp_path / "pod.yaml")).dry_run()

    assert "# pod_spec is known only in a run, and left out here" in capsys.readouterr().out


def test_a_template_file_that_is_not_there_is_told() -> None:
    made = operator(pod_spec="none.yaml")

    with pytest.raises(ValueError, match="the template file 'none"):
        made.dry_run()
