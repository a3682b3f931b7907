"""Every argument of the operators that people move from is taken here, or answered with what to write instead."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.spelling import ANSWERS, known_arguments

SCRIPT = Path(__file__).parent.parent / "scripts" / "arguments.py"
TAKEN = known_arguments(ArmadaOperator)
OTHER_SPELLINGS = {"command", "args", "env", "host_network", "dns_policy", "queue_name"}


@pytest.fixture(scope="module")
def published(peer_python: str) -> dict[str, list[str]]:
    ran = subprocess.run([peer_python, SCRIPT], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(ran.stdout)
    return found


@pytest.mark.peer
@pytest.mark.parametrize("operator", ["KubernetesPodOperator", "ArmadaOperator"])
def test_every_argument_is_taken_or_answered(published: dict[str, list[str]], operator: str) -> None:
    assert [name for name in published[operator] if name not in TAKEN and name not in ANSWERS] == []


@pytest.mark.peer
def test_no_answer_is_about_an_argument_that_nobody_has(published: dict[str, list[str]]) -> None:
    assert ANSWERS.keys() - {name for names in published.values() for name in names} == OTHER_SPELLINGS


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_is_one_line_that_names_what_the_operator_has(name: str) -> None:
    given: dict[str, Any] = {name: "x"}
    with DAG("d", schedule=None), pytest.raises(TypeError) as raised:
        ArmadaOperator(task_id="t", armada_queue="q", image="busybox:1.37", **given)

    text = str(raised.value)
    assert text.startswith(f"task 't': {name} ")
    assert "\n" not in text
    assert "did you mean" not in text
    if " is called " in text:
        assert text.split(" is called ")[1].split()[0] in TAKEN
