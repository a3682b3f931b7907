"""Every argument can be mapped over with ``partial().expand()``, and is checked when its values are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_armada.callbacks import JobCallbacks
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.declared import ContainerArguments, JobArguments, PodArguments
from airflow_armada.task.arguments.task_arguments import TaskArguments

GOOD: dict[str, Any] = {"armada_queue": "q", "image": "busybox:1.37"}
POD = {"containers": [{"name": "base", "image": "b"}]}
VALUES: dict[str, Any] = {
    "image": "alpine",
    "cmds": ["true"],
    "arguments": ["a"],
    "env_vars": {"A": "1"},
    "container_resources": {"cpu": "1"},
    "env_from": [{"secretRef": {"name": "a"}}],
    "secrets": ["a"],
    "configmaps": ["a"],
    "ports": [80],
    "volume_mounts": [],
    "working_dir": "/tmp",
    "image_pull_policy": "Always",
    "container_security_context": {"runAsUser": 1},
    "container_name": "main",
    "volumes": [{"name": "a", "emptyDir": {}}],
    "node_selector": {"a": "b"},
    "affinity": {"podAffinity": {}},
    "tolerations": [{"key": "a"}],
    "security_context": {"runAsUser": 1},
    "service_account_name": "a",
    "image_pull_secrets": ["a"],
    "init_containers": [{"name": "i", "image": "b"}],
    "containers": [{"name": "s", "image": "b"}],
    "termination_grace_period_seconds": 5,
    "active_deadline_seconds": 5,
    "priority_class_name": "armada-preemptible",
    "job_request": {"podSpec": POD},
    "pod_spec": POD,
    "namespace": "a",
    "priority": 1,
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "services": [],
    "ingress": [],
    "gang_id": "",
    "gang_cardinality": None,
    "gang_node_uniformity_label": "",
    "fail_fast": True,
    "armada_queue": "r",
    "job_set_id": "s",
    "armada_conn_id": "other",
    "deferrable": False,
    "get_logs": False,
    "get_result": True,
    "dry_run": True,
    "preemption_retries": 1,
    "resubmit_on": ["evicted"],
    "cancel_on_kill": False,
    "wait_for_completion": False,
    "reattach": "always",
    "queued_timeout": 5,
    "end_from_trigger": True,
    "skip_on_exit_code": [99],
    "termination_message_policy": "FallbackToLogsOnError",
    "result_file": "",
    "hostname": "h",
    "subdomain": "s",
    "host_aliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "hostnetwork": True,
    "dnspolicy": "Default",
    "dns_config": {"nameservers": ["10.0.0.2"]},
    "runtime_class_name": "gvisor",
    "automount_service_account_token": False,
    "extra_links": {"Grafana": "https://g/{job_id}"},
    "callbacks": JobCallbacks(),
    "armada_compat_xcom": True,
    "lookout_url_template": "https://l/jobs/{job_id}",
}
ATTRIBUTES = {"dry_run": "only_dry_run", "extra_links": "link_templates"}


def mapped(name: str, value: Any) -> ArmadaOperator:
    """Return the operator of the one task that a value is mapped to."""
    with DAG("d", schedule=None):
        xcom = name != "end_from_trigger"  # which leaves no return value
        good = {key: GOOD[key] for key in GOOD if key != name}
        partial = ArmadaOperator.partial(task_id="t", do_xcom_push=xcom, **good)
        operator = partial.expand(**{name: [value]})
    unmapped: ArmadaOperator = operator.unmap({name: value})
    return unmapped


def test_no_argument_is_forgotten_here() -> None:
    classes = (TaskArguments, JobArguments, PodArguments, ContainerArguments)
    arguments = {name for one in classes for name in inspect.signature(one.__init__).parameters}

    assert set(VALUES) == arguments - {"self", "kwargs"}


@pytest.mark.parametrize("name", VALUES)
def test_it_is_mapped_over(name: str) -> None:
    assert getattr(mapped(name, VALUES[name]), ATTRIBUTES.get(name, name)) == VALUES[name]


WRONG = [
    ("reattach", "perhaps", "reattach must be one of"),
    ("labels", {"a": "b c"}, "labels['a']"),
    ("deferrable", "no", "deferrable must be True or False"),
    ("container_resources", {"memory": "4GB"}, "write 4G"),
    ("cmds", "python run.py", "cmds: expected a list, got text"),
    ("extra_links", {"A": "ftp://h"}, "extra_links['A'] must be an address"),
    ("get_logs", 5, "get_logs must be True, False, or names"),
    ("armada_queue", " ", "armada_queue must not be empty"),
]


def refusal(work: Callable[[], Any]) -> str:
    with DAG("d", schedule=None), pytest.raises((ValueError, TypeError)) as raised:
        work()
    return str(raised.value)


def partial(**arguments: Any) -> Any:
    return ArmadaOperator.partial(**{"task_id": "t", **GOOD, **arguments})


@pytest.mark.parametrize(("name", "value", "says"), WRONG, ids=[name for name, _, _ in WRONG])
def test_what_all_tasks_have_is_checked_when_the_dag_is_parsed(name: str, value: Any, says: str) -> None:
    over = "annotations" if name != "annotations" else "labels"

    text = refusal(lambda: partial(**{name: value}).expand(**{over: [{"a": "b"}]}))

    assert text.startswith("task 't'")
    assert says in text


@pytest.mark.parametrize(("name", "value", "says"), WRONG, ids=[name for name, _, _ in WRONG])
def test_a_value_that_is_mapped_over_is_checked_when_the_dag_is_parsed(name: str, value: Any, says: str) -> None:
    good = {key: GOOD[key] for key in GOOD if key != name}
    values = [VALUES[name], value]

    one = refusal(lambda: ArmadaOperator.partial(task_id="t", **good).expand(**{name: values}))
    other = refusal(lambda: ArmadaOperator.partial(task_id="t", **good).expand_kwargs([{name: one} for one in values]))

    assert says in one
    assert one.endswith(f"(value 1 of {name} in expand())")
    assert says in other
    assert other.endswith("(item 1 of expand_kwargs())")


def test_what_another_task_gives_is_checked_when_it_is_known() -> None:
    with DAG("d", schedule=None) as dag:

        @task
        def give() -> Any: ...

        partial().expand(labels=give(), get_logs=give())
        ArmadaOperator.partial(task_id="u", armada_queue="q").expand_kwargs(give())
        ArmadaOperator.partial(task_id="v", armada_queue="q", get_logs=True).expand(image=give())
        partial(task_id="w", result_file="/r").expand(get_result=give())
        text = refusal(lambda: partial(reattach="perhaps").expand_kwargs(give()))

    assert "reattach must be one of" in text
    assert {"t", "u", "v"} <= set(dag.task_ids)


def test_names_are_answered_as_those_of_a_single_task() -> None:
    assert "command is called cmds here" in refusal(lambda: partial(command=["a"]))
    assert "env is called env_vars here" in refusal(lambda: partial().expand(env=[{"A": "1"}]))


def test_a_subclass_may_have_arguments_of_its_own() -> None:
    class Report(ArmadaOperator):
        def __init__(self, *, title: str, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.title = title

    with DAG("d", schedule=None) as dag:
        Report.partial(task_id="t", title="a", **GOOD).expand(labels=[{"a": "b"}])
        Report.partial(task_id="u", **GOOD).expand(title=["a"])

    assert dag.task_dict["u"].is_mapped


def test_default_arguments_of_the_dag_count() -> None:
    with DAG("d", schedule=None, default_args={"image": "busybox", "armada_queue": "q"}) as dag:
        ArmadaOperator.partial(task_id="t").expand(arguments=[["a"], ["b"]])

    assert dag.task_dict["t"].is_mapped


@pytest.mark.parametrize(("name", "value"), [("reattach", "perhaps"), ("labels", {"a": "b c"}), ("deferrable", "no")])
def test_a_value_that_is_wrong_is_refused_when_it_is_known(name: str, value: Any) -> None:
    with DAG("d", schedule=None):

        @task
        def give() -> Any: ...

        operator = partial().expand(**{name: give()})

    with pytest.raises(ValueError, match=name):
        operator.unmap({name: value})
