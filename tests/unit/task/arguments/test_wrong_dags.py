"""DAGs as people get them wrong, and the one line that tells each author what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from kubernetes.client import V1Container, V1Pod, V1PodSpec, V1ResourceRequirements

from airflow_armada.callbacks import JobCallbacks
from airflow_armada.decorators.armada import armada_cmd_task, armada_task
from airflow_armada.operators.armada import ArmadaOperator

GOOD: dict[str, Any] = {"task_id": "t", "armada_queue": "q", "image": "busybox:1.37", "cmds": ["true"]}
BARE: dict[str, Any] = {"task_id": "t", "armada_queue": "q"}
BIG = "x" * 70_000


class Published:
    """What frameworks hand to KubernetesPodOperator."""

    @staticmethod
    def on_pod_creation(**told: Any) -> None: ...

    @staticmethod
    def progress_callback(**told: Any) -> None: ...


class Lines(JobCallbacks):
    def line(self, **told: Any) -> None: ...


class Ends(JobCallbacks):
    def ended(self, **told: Any) -> None: ...


class Few:
    def running(self, pod: Any) -> None: ...


def complaint(make: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Return what the author reads when the file is parsed, or nothing."""
    try:
        with DAG("d", schedule=None):
            make(**arguments)
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # Names that other operators have
        ({"command": ["true"]}, "command is called cmds here"),
        ({"env": {"A": "1"}}, "env is called env_vars here"),
        ({"resources": {"cpu": "1"}}, "resources is an argument of Airflow that nobody reads; did you mean contain"),
        ({"reattach_on_restart": True}, "reattach_on_restart is called reattach here"),
        (
            {"armada_que": "q", "lables": {}},
            "armada_que is unknown; did you mean armada_queue?; lables is unknown; did",
        ),
        # Types
        ({"cmds": "python run.py"}, "cmds: expected a list, got text; put it in a list"),
        ({"cmds": {"a", "b"}}, "cmds: expected a list, got set; put it in a list"),
        ({"cmds": [b"true"]}, "cmds[0]: expected text, got bytes"),
        ({"cmds": [["true"]]}, "cmds[0]: expected text, got a list"),
        ({"arguments": (word for word in ("a", "b"))}, "arguments: expected a list, got generator; put it in a list"),
        ({"armada_queue": 5}, "armada_queue must be text, not 5"),
        ({"armada_conn_id": None}, "armada_conn_id must not be empty"),
        ({"deferrable": "false"}, "deferrable must be True or False, not 'false'"),
        ({"get_result": 1}, "get_result must be True or False, or the name of the container that prints it, not 1"),
        ({"dry_run": "no"}, "dry_run must be True or False, not 'no'"),
        (
            {"env_vars": ["A=1"]},
            "env_vars[0]: expected an object with fields, got text; its fields are name, value, va",
        ),
        ({"volume_mounts": ["data:/data"]}, "volume_mounts[0]: expected an object with fields, got text; its fields"),
        ({"security_context": {"runAsUser": "me"}}, "security_context.runAsUser: expected a whole number, got 'me'"),
        ({"image_pull_policy": "always"}, "must be one of Always, IfNotPresent, Never, got 'always'; write Always"),
        ({"tolerations": [{"key": "a", "effect": "noSchedule"}]}, "tolerations[0].effect: must be one of NoSchedule,"),
        ({"ports": [{"containerPort": 80, "protocol": "http"}]}, "protocol: must be one of TCP, UDP, SCTP, got 'http'"),
        # None in places
        ({"env_vars": {"A": None}}, "env_vars['A']: has no value; write \"\" for an empty one"),
        ({"labels": {"team": None}}, "labels['team']: has no value; write \"\" for an empty one"),
        ({"container_resources": {"limits": {"cpu": None}}}, "container_resources.limits['cpu']: has no value"),
        ({"cmds": ["a", None]}, "cmds[1]: empty entry in a list; remove it"),
        ({"resubmit_on": None}, "resubmit_on must be one of preempted, evicted, lease_expired, not None"),
        ({"reattach": None}, "reattach must be one of never, running, running_or_succeeded, always, not No"),
        ({"reattach": lambda state: True}, "reattach, a function, must take two arguments: a job's state and the re"),
        ({"skip_on_exit_code": "99"}, "skip_on_exit_code must be one or several exit codes from 1 to 255, not '99'"),
        ({"skip_on_exit_code": 0}, "skip_on_exit_code must be one or several exit codes from 1 to 255, not 0"),
        # Units
        ({"container_resources": {"cpu": "2 cores"}}, "got '2 cores'; write 2"),
        ({"container_resources": {"memory": "4gi"}}, "got '4gi'; write 4Gi"),
        ({"container_resources": {"memory": "4 GB"}}, "got '4 GB'; write 4G"),
        ({"container_resources": {"memory": "512m"}}, "got 512m; m means thousandths, write 512Mi for mebibytes"),
        ({"termination_grace_period_seconds": "30s"}, "termination_grace_period_seconds: expected a whole number, got"),
        ({"queued_timeout": "5m"}, "queued_timeout must be a timedelta or a number of seconds: could not convert"),
        # Things that do not go together
        ({"get_result": True, "wait_for_completion": False}, "get_result needs wait_for_completion"),
        ({"get_logs": "main"}, "get_logs: the job has no container of this name, got 'main'; it has base"),
        (
            {"containers": [{"name": "a"}, {"name": "a"}]},
            "containers[1].name: another entry has the same name, got 'a'",
        ),
        ({"ports": [8080, 8080]}, "ports[1].containerPort: another entry has the same containerPort, got 8080"),
        # Links
        ({"extra_links": {"A": "ftp://h"}}, "extra_links['A'] must be an address such as https://host/path"),
        ({"extra_links": {"A": re.compile("x")}}, "extra_links['A']: no address is looked for in the log; write one"),
        ({"extra_links": ["https://h"]}, "extra_links must map names to addresses, not list"),
        ({"extra_links": {"A": "https://h", "a": "https://h"}}, "extra_links['a']: the name differs from 'A' in noth"),
        ({"extra_links": {"A": "https://h/{job}"}}, "extra_links['A']: {job} is no fact about a job; known are {job_"),
        ({"lookout_url_template": "https://h/{queue}"}, "lookout_url_template: {queue} is no fact about a job; known"),
        ({"lookout_url_template": "https://h"}, "lookout_url_template must hold {job_id}"),
        # Callbacks
        (
            {"callbacks": Published},
            "Published has no method submitted, running, line, ended: on_pod_creation is submitted here; progress_cal",
        ),
        ({"callbacks": object()}, "object has no method submitted, running, line, ended: make it one of airflow_ar"),
        ({"callbacks": Lines(), "deferrable": True}, "callbacks: line needs deferrable=False: a deferred task's log"),
        ({"callbacks": Lines(), "deferrable": False, "get_logs": False}, "callbacks: line needs get_logs"),
        ({"callbacks": Ends, "wait_for_completion": False}, "callbacks: ended needs wait_for_completion=True"),
        ({"callbacks": [Ends(), Few()]}, "callbacks: Few.running is called with job, at, cluster, node, context by"),
        # Templates
        ({"labels": {"day": "{{ ds }"}}, "labels['day']: not a valid template: unexpected '}'; close every {{"),
        (
            {"env_vars": [{"name": "A", "value": "{% if x %}"}]},
            "env_vars[0]['value']: not a valid template: Unexpected",
        ),
        ({"arguments": [BIG]}, "got 70094 bytes; move large content into"),
    ],
)
def test_an_argument(arguments: dict[str, Any], expected: str) -> None:
    assert expected in complaint(ArmadaOperator, {**GOOD, **arguments})


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            {"kind": "Job", "spec": {}},
            "pod_spec.kind: expected Pod or PodTemplate, got Job; give the pod template in it",
        ),
        ("- name: a\n  image: b", "expected a job or a pod, got a list; give a mapping with containers"),
        ("containers:\n- name: a\n image: b", "pod_spec: not valid YAML at line 3, column 2"),
        ("pods/report.yml.j2", "plain text, not a YAML manifest; to name a file, let it end in .yaml or .yml"),
        ({"image": "b", "command": ["true"]}, 'is a container where a pod is expected; write {"containers": [...]}'),
        (V1Container(name="a", image="b"), "is a container where a pod is expected"),
        (V1Pod, "pod_spec: is a class where an object is expected, got V1Pod; make one of it"),
        (V1Pod(), "podSpec.containers[0].image: is required; name the container image"),
        (
            V1PodSpec(
                containers=[V1Container(name="a", image="b", resources=V1ResourceRequirements(limits={"cpu": "x"}))]
            ),
            "must be a quantity such as 500m, 2 or 1Gi, got 'x'",
        ),
        (
            {"containers": [{"name": "a", "image": "b", "env": [{"name": "A", "value": "{{ ds "}]}]},
            "pod_spec['containers'][0]['env'][0]['value']: not a valid template",
        ),
        (lambda: {}, "a function given here gets Airflow's context as its only argument, got <lambda>()"),
        (5, "pod_spec: expected a job or a pod, got a number"),
    ],
)
def test_a_base(base: Any, expected: str) -> None:
    assert expected in complaint(ArmadaOperator, {**BARE, "pod_spec": base})


def test_a_container_name_that_the_base_does_not_have() -> None:
    base = {"containers": [{"name": "main", "image": "b"}]}

    text = complaint(ArmadaOperator, {**BARE, "pod_spec": base, "container_name": "mian", "env_vars": {"A": "1"}})

    assert "container_name: the job has no container of this name, got 'mian'; it has main; a new one needs" in text


def test_mistakes_of_every_kind_come_together() -> None:
    text = complaint(
        ArmadaOperator,
        {**GOOD, "deferrable": "no", "labels": {"a": "{{ x"}, "env_vars": {"A": None}, "queued_timeout": "5m"},
    )

    for place in ("deferrable", "labels['a']", "env_vars['A']", "queued_timeout"):
        assert sum(line.startswith(f"  - {place}") for line in text.splitlines()) == 1, text


def function() -> None:
    """Stand on its own."""


@pytest.mark.parametrize(
    ("decorator", "arguments", "expected"),
    [
        (armada_task, {"armada_queue": "q"}, "nothing to run: give one of image, pod_spec, job_request"),
        (
            armada_task,
            {**BARE, "image": "python:3.12", "requirement": ["a"]},
            "requirement is unknown; did you mean req",
        ),
        (armada_cmd_task, {**BARE, "image": "a", "command": ["b"]}, "command is called cmds here"),
        (armada_cmd_task, {**BARE, "image": "a", "cmds": ["b"]}, "cmds cannot be given to @task.armada_cmd"),
    ],
)
def test_a_decorator(decorator: Any, arguments: dict[str, Any], expected: str) -> None:
    assert expected in complaint(lambda **given: decorator(**given)(function)(), arguments)


def test_what_looks_odd_and_is_right() -> None:
    fine: list[dict[str, Any]] = [
        {"termination_grace_period_seconds": timedelta(seconds=30), "active_deadline_seconds": timedelta(hours=1)},
        {"gang_id": "g", "gang_cardinality": 2.0},
        {"labels": {"number": 1}, "annotations": {"number": 1}},
        {"resubmit_on": "evicted", "preemption_retries": "2"},
        {"container_resources": {"requests": None, "limits": {"cpu": "1"}}},
        {"env_vars": {"A": "{{ '{{' }} not a template }}"}},
        {"arguments": ["{{ ds }}", "{{ params.get('x', {}) }}"]},
        {"container_name": "other"},
        {"resources": {"cpus": 1}},
    ]

    assert [complaint(ArmadaOperator, {**GOOD, **arguments}) for arguments in fine] == [""] * len(fine)


@pytest.mark.parametrize("decorator", [armada_task, armada_cmd_task])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"labels": {"team": "a b"}}, "task 'add': labels['team']"),
        ({"reattach": "perhaps"}, "task 'add': reattach must be one of"),
        ({"container_resources": {"memory": "4GB"}}, "write 4G"),
        ({"command": ["a"]}, "task 'add': command is called cmds here"),
    ],
)
def test_a_function_that_is_mapped_is_checked_where_it_is_decorated(
    decorator: Any, arguments: dict[str, Any], expected: str
) -> None:
    def add(number: int) -> int:
        return number + 1

    def mapped(**given: Any) -> None:
        decorator(**given)(add).expand(number=[1, 2])

    assert expected in complaint(mapped, {**BARE, "image": "python:3.12", "task_id": "add", **arguments})
    assert complaint(mapped, {**BARE, "image": "python:3.12", "task_id": "add"}) == ""
