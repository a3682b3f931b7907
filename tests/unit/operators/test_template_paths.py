"""A base may name a file by its absolute path; one that is not there is said when the DAG is parsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.forms import resolve

POD = "containers:\n- name: main\n  image: busybox:1.37\n  command: [echo, '{{ ds }}']\n"


def task(**arguments: Any) -> ArmadaOperator:
    with DAG("d", schedule=None):
        return ArmadaOperator(task_id="t", armada_queue="q", **arguments)


def test_an_absolute_path_is_read_from_where_it_leads(tmp_path: Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(POD)
    operator = task(pod_spec=str(path))

    assert resolve("pod_spec", operator.pod_spec, {}, operator.get_template_env()) == POD  # type: ignore[typeddict-item]


def test_a_file_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pod_spec: there is no such file, got .*workers need it"):
        task(pod_spec=str(tmp_path / "nowhere.yaml"))


def test_a_path_that_a_run_gives_is_looked_for_in_the_run() -> None:
    assert task(pod_spec="/pods/{{ ds }}.yaml").pod_spec == "/pods/{{ ds }}.yaml"
