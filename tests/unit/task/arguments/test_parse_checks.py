"""What is refused when a DAG file is parsed, and what has to wait until it is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG, task
from kubernetes.client import V1Container, V1PodSpec

from airflow_armada.operators.armada import ArmadaOperator
from tests.unit.jobs.checks.test_check import RULES

GOOD: dict[str, Any] = {"task_id": "t", "armada_queue": "q", "image": "busybox:1.37", "cmds": ["true"]}


def complaint(**arguments: Any) -> str:
    """What the author reads when the file is parsed, or nothing."""
    try:
        with DAG("d", schedule=None):
            ArmadaOperator(**{**GOOD, **arguments})
    except ValueError as error:
        return str(error)
    return ""


def container(**parts: Any) -> dict[str, Any]:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}}
    return {"name": "main", "image": "alpine", "resources": resources, **parts}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"container_resources": {"memory": "4GB"}}, "'4GB'; write 4G"),
        ({"labels": {"team": "a b"}}, "labels['team']"),
        ({"termination_grace_period_seconds": 301}, "terminationGracePeriodSeconds"),
        ({"priority_class_name": "Urgent"}, "must be lower-case letters"),
        ({"gang_id": "g"}, "gangCardinality"),
        ({"ingress": [8080, 8080]}, "ingress"),
        ({"job_set_id": "s" * 1024}, "must be shorter than 1024 bytes"),
        ({"image": None, "pod_spec": {"containers": [container(comand=["true"])]}}, "did you mean command?"),
        ({"image": None, "pod_spec": "containers: [{name: a, image: b, imagePullPolicy: 1}]"}, "imagePullPolicy"),
        ({"image": None, "pod_spec": V1PodSpec(containers=[V1Container(name="A_")])}, "containers[0].name"),
        ({"volume_mounts": [{"name": "data", "mountPath": "/data"}]}, "data"),
        ({"env_vars": {"A": "{{ ds }}"}, "labels": {"team": "a b"}}, "labels['team']"),
        ({"image": "{{ params.image }}", "container_resources": {"cpu": "x"}}, "'x'"),
        ({"get_logs": 5}, "get_logs must be True, False, or names of containers"),
        ({"armada_queue": "  "}, "armada_queue must not be empty"),
        ({"reattach": "perhaps"}, "reattach must be one of never, running, running_or_succeeded"),
    ],
)
def test_a_mistake_is_refused_at_once(arguments: dict[str, Any], expected: str) -> None:
    assert expected in complaint(**arguments)


def test_all_mistakes_come_in_one_readable_message() -> None:
    text = complaint(
        container_resources={"memory": "4GB"}, labels={"team": "a b"}, env_vars={"A": "{{ ds }}"}, reattach="perhaps"
    )

    head, *problems = text.split("\n  - ")
    assert head == "task 't' has 4 problems:"
    for expected in ("reattach must be one of", "labels['team']", "requests['memory']", "limits['memory']"):
        assert len([one for one in problems if expected in one]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"container_resources": {"cpu": "{{ params.cpu }}", "memory": "1Gi"}},
        {"container_resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "{{ params.cpu }}"}}},
        {"labels": {"day": "{{ ds }}"}, "namespace": "team-{{ params.team }}"},
        {"termination_grace_period_seconds": "{{ params.grace }}", "priority": "{{ params.priority }}"},
        {"priority_class_name": "{{ params.priority_class }}"},
        {"ports": ["{{ params.one }}", "{{ params.other }}"]},
        {"gang_id": "{{ run_id }}", "gang_cardinality": "{{ params.size }}"},
        {"env_vars": "{{ params.env }}", "volumes": "{{ params.volumes }}"},
        {"volumes": "{{ params.volumes }}", "volume_mounts": [{"name": "data", "mountPath": "/data"}]},
        {"image": None, "job_request": "job.yaml"},
        {"image": None, "pod_spec": "{{ params.pod }}"},
        {"image": None, "pod_spec": lambda context: {"containers": []}},
        {"image": None, "pod_spec": {"containers": "{{ params.containers }}"}},
        {"image": None, "pod_spec": {"containers": [container(ports=[{"containerPort": "{{ params.port }}"}])]}},
        {"image": None, "pod_spec": {"containers": [container(stdin="{{ params.stdin }}", image="{{ params.i }}")]}},
        {"image": None, "pod_spec": V1PodSpec(containers=[V1Container(name="{{ params.name }}", image="a")])},
        {"queued_timeout": "{{ params.wait }}", "preemption_retries": 3},
    ],
)
def test_what_a_template_will_give_is_not_judged(arguments: dict[str, Any]) -> None:
    assert complaint(**arguments) == ""


@pytest.mark.parametrize("name", ["arguments", "env_vars", "volumes", "containers", "labels", "pod_spec", "priority"])
def test_what_another_task_will_give_is_not_judged(name: str) -> None:
    with DAG("d", schedule=None):
        before = ArmadaOperator(**{**GOOD, "task_id": "before"})
        after = ArmadaOperator(**{**GOOD, name: before.output})

    assert after.upstream_task_ids == {"before"}


def with_a_template(value: Any) -> Iterator[Any]:
    """The value once for each of its leaves, with a template in that place."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from ({**value, key: changed} for changed in with_a_template(entry))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in with_a_template(entry))
    else:
        yield "{{ params.later }}"


@pytest.mark.parametrize("rule", RULES)
def test_a_template_anywhere_in_a_good_job_is_no_mistake(rule: str) -> None:
    for job_request in with_a_template(RULES[rule][0]):
        assert complaint(image=None, cmds=None, job_request=job_request) == "", job_request


FILLED_IN = {
    "namespace",
    "some resources",
    "limits for requests",
    "requests for limits",
    "same keys",
    "resources of init containers",
}
"""Rules that the operator keeps for its author."""


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_applied_when_the_file_is_parsed(rule: str) -> None:
    text = complaint(image=None, cmds=None, job_request=RULES[rule][1])

    assert text.startswith("task 't'") != (rule in FILLED_IN)


def test_a_site_may_have_priority_classes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = '{"priority_classes": ["urgent"], "connections": {"armada_other": {"priority_classes": null}}}'
    monkeypatch.setenv("AIRFLOW__ARMADA__SERVER_RULES", rules)

    assert complaint(priority_class_name="urgent") == ""
    assert "armada-default" in complaint(priority_class_name="armada-default")
    assert complaint(priority_class_name="anything", armada_conn_id="armada_other") == ""


@pytest.mark.parametrize("rules", ["no json", "[]", '{"priority_class": ["a"]}', '{"priority_classes": "a"}'])
def test_rules_that_cannot_be_read_are_told(rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ARMADA__SERVER_RULES", rules)

    assert "[armada] server_rules is not what it must be" in complaint()


def test_every_argument_of_the_job_is_one_of_the_operator() -> None:
    from dataclasses import fields

    from airflow_armada.jobs.job_spec import JobSpec
    from airflow_armada.task.arguments.declared import JOB_ARGUMENTS

    made_by_the_operator = {
        "client_id",
        "external_job_uri",
        "identity_labels",
        "identity_annotations",
        "context_env",
        "scheduler",
        "defaults",
    }
    assert {field.name for field in fields(JobSpec)} - made_by_the_operator == set(JOB_ARGUMENTS)


def test_any_argument_can_be_mapped_over_and_no_other() -> None:
    from airflow_armada.task.arguments.declared import JOB_ARGUMENTS

    with DAG("d", schedule=None):

        @task
        def give() -> Any: ...

        for name in JOB_ARGUMENTS:
            partial = ArmadaOperator.partial(task_id=f"map_{name}", armada_queue="q", get_result=True)
            partial.expand(**{name: give()})
        with pytest.raises(TypeError, match=r"imagee is unknown; did you mean image\?"):
            ArmadaOperator.partial(task_id="t", armada_queue="q", imagee="x")
