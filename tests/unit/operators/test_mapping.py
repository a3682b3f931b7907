"""Every argument can be mapped over with ``partial().expand()``, and is checked when its values are known."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from airflow.sdk import DAG

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
    "reattach": "never",
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
}


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
    attribute = "only_dry_run" if name == "dry_run" else name

    assert getattr(mapped(name, VALUES[name]), attribute) == VALUES[name]


@pytest.mark.parametrize(("name", "value"), [("reattach", "perhaps"), ("labels", {"a": "b c"}), ("deferrable", "no")])
def test_a_value_that_is_wrong_is_refused_when_it_is_known(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        mapped(name, value)
