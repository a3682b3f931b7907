"""``operator.dry_run()`` shows a job and checks it, with neither a run nor a server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from airflow.sdk import DAG

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
