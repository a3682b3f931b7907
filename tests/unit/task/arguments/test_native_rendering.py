"""``render_template_as_native_obj``: Python values where a field takes them, and text where it is text by type."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.native import render_typed

VERSIONS = {"ver": "1.10", "many": ["3.10", 7], "port": "8080", "pairs": {"a": "1e5"}}


def rendered(**arguments: Any) -> dict[str, Any]:
    with DAG("native", render_template_as_native_obj=True) as dag:
        task = ArmadaOperator(task_id="work", **{"armada_queue": "q", "image": "a", **arguments})
    names = list(arguments)
    left = render_typed(task, names, {"params": VERSIONS}, dag.get_template_env())  # type: ignore[typeddict-item]
    return {name: getattr(task, name) for name in names if name not in left}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("arguments", ["{{ params.ver }}", "3.10", "0x1F", "1e5"], ["1.10", "3.10", "0x1F", "1e5"]),
        ("arguments", "{{ params.many }}", ["3.10", 7]),
        ("cmds", ("run", "{{ params.port }}"), ["run", "8080"]),
        ("env_vars", {"V": "{{ params.ver }}", "W": "007"}, {"V": "1.10", "W": "007"}),
        ("env_vars", [{"name": "V", "value": "{{ params.ver }}"}], [{"name": "V", "value": "1.10"}]),
        (
            "env_vars",
            {"V": {"secretKeyRef": {"name": "{{ params.port }}", "optional": "{{ 1 == 1 }}"}}},
            {"V": {"secretKeyRef": {"name": "8080", "optional": True}}},
        ),
        ("image", "{{ params.port }}", "8080"),
        ("labels", {"v": "{{ params.ver }}"}, {"v": "1.10"}),
        ("annotations", {"v": "None"}, {"v": "None"}),
        ("node_selector", {"v": "{{ params.ver }}"}, {"v": "1.10"}),
        ("node_selector", "{{ params.pairs }}", {"a": "1e5"}),
        ("namespace", "{{ params.port }}", "8080"),
        ("job_set_id", "{{ params.ver }}", "1.10"),
        ("priority", "{{ params.port }}", 8080),
        (
            "ports",
            [{"containerPort": "{{ params.port }}", "name": "{{ params.port }}"}],
            [{"containerPort": 8080, "name": "8080"}],
        ),
        (
            "volumes",
            [{"name": "{{ params.port }}", "emptyDir": {"sizeLimit": "1e5"}}],
            [{"name": "8080", "emptyDir": {"sizeLimit": "1e5"}}],
        ),
        (
            "pod_spec",
            {"containers": [{"args": ["{{ params.ver }}"], "ports": [{"containerPort": "{{ params.port }}"}]}]},
            {"containers": [{"args": ["1.10"], "ports": [{"containerPort": 8080}]}]},
        ),
        (
            "job_request",
            {"queue": "{{ params.port }}", "jobs": [{"priority": "{{ params.port }}", "labels": {"a": "1e5"}}]},
            {"queue": "8080", "jobs": [{"priority": 8080, "labels": {"a": "1e5"}}]},
        ),
    ],
)
def test_what_is_text_by_type_stays_text(name: str, value: Any, expected: Any) -> None:
    assert rendered(**{name: value}) == {name: expected}


def test_without_native_rendering_airflow_does_it_all() -> None:
    with DAG("plain") as dag:
        task = ArmadaOperator(task_id="work", armada_queue="q", image="a", arguments=["{{ params.ver }}"])
    assert render_typed(task, ["arguments"], {}, dag.get_template_env()) == ["arguments"]  # type: ignore[typeddict-item]
