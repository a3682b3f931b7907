"""What the decorators refuse when the DAG file is parsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_armada.decorators.armada import armada_cmd_task, armada_task

OUTSIDE = 1
SOME = {"armada_queue": "q", "image": "python:3.12"}


def uses_what_is_around_it() -> int:
    return OUTSIDE


def asks_for_the_task_instance(ti: Any = None) -> None:
    return None


def fine() -> None:
    return None


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (uses_what_is_around_it, {}, "uses OUTSIDE from outside of it"),
        (asks_for_the_task_instance, {}, "asks for 'ti' of Airflow's context, which cannot travel to a job"),
        (fine, {"cmds": ["sh"]}, "cmds cannot be given to @task.armada"),
        (fine, {"image": None}, "nothing to run: give one of image"),
    ],
)
def test_a_function_that_cannot_be_a_job(function: Callable[..., Any], arguments: dict[str, Any], message: str) -> None:
    with DAG("d", schedule=None), pytest.raises(ValueError, match=message):
        armada_task(**SOME | arguments)(function)()


def test_the_command_is_what_the_function_returns() -> None:
    with DAG("d", schedule=None), pytest.raises(ValueError, match="cmds cannot be given to @task"):
        armada_cmd_task(**SOME, cmds=["sh"])(fine)()


def test_the_author_sees_the_name_of_the_decorator() -> None:
    with DAG("d", schedule=None) as dag:
        armada_task(**SOME)(fine)()
        armada_cmd_task(**SOME)(fine)()
    assert [task.operator_name for task in dag.tasks] == ["@task.armada", "@task.armada_cmd"]
