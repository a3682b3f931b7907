"""Arguments that the operator does not have, and what somebody who moves here should write instead."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

_DROP = "is not needed here: {}; drop it"
_ELSEWHERE = "is called {} here"

_POLLING = _DROP.format("nothing polls, the job's events come over one stream")
_CLUSTER = _DROP.format("Armada chooses the cluster, and the connection armada_conn_id leads to Armada")
_EVENTS = _DROP.format("the task log tells each change of the job, and the error its cause")
_DELETED = _DROP.format("Armada deletes the pod when its job has ended")

ANSWERS: Mapping[str, str] = {
    # KubernetesPodOperator, as of version 10.25 of its provider.
    "kubernetes_conn_id": "is armada_conn_id here, a connection of type armada",
    "name": _DROP.format("labels and annotations name the job after its task"),
    "random_name_suffix": _DROP.format("Armada names the pod after the job's id"),
    "in_cluster": _CLUSTER,
    "cluster_context": _CLUSTER,
    "config_file": _CLUSTER,
    "reattach_on_restart": _ELSEWHERE.format("reattach"),
    "durable": "is called reattach here, and is on by default",
    "startup_timeout_seconds": _ELSEWHERE.format("queued_timeout"),
    "schedule_timeout_seconds": _ELSEWHERE.format("queued_timeout"),
    "startup_check_interval_seconds": _POLLING,
    "base_container_status_polling_interval": _POLLING,
    "poll_interval": _POLLING,
    "logging_interval": _DROP.format("the log is shown while the job runs, deferred or not"),
    "trigger_kwargs": _DROP.format("the trigger takes nothing else"),
    "base_container_name": _ELSEWHERE.format("container_name"),
    "container_logs": "is get_logs here, which takes the names of containers",
    "init_container_logs": "is get_logs here, which takes the names of containers and init containers",
    "container_name_log_prefix_enabled": _DROP.format("a line names its container where the job has several"),
    "log_formatter": _DROP.format("each line keeps its own time, and its container where there are several"),
    "log_events_on_failure": _EVENTS,
    "log_events_on_startup": _EVENTS,
    "log_pod_spec_on_failure": _DROP.format("the request stands among the task's rendered templates"),
    "xcom_sidecar_container_security_context": _DROP.format("there is no sidecar; get_result reads the job's log"),
    "schedulername": _DROP.format("Armada schedules the job"),
    "full_pod_spec": _ELSEWHERE.format("pod_spec"),
    "pod_template_file": "is pod_spec here, which takes the path of a YAML file",
    "pod_template_dict": _ELSEWHERE.format("pod_spec"),
    "pod_runtime_info_envs": "goes into env_vars, which takes V1EnvVar as well",
    "termination_grace_period": _ELSEWHERE.format("termination_grace_period_seconds"),
    "on_finish_action": _DELETED,
    "is_delete_operator_pod": _DELETED,
    "on_kill_action": "is cancel_on_kill here; write cancel_on_kill=False for keep_pod",
    "progress_callback": "is the method line of callbacks here; see airflow_armada.callbacks",
    # The published operator, as of armada-airflow 1.1.3.
    "channel_args": "is the connection armada_conn_id here, which holds the server's address and the credentials",
    "job_set_prefix": "is job_set_id here, a template, such as job_set_id='prefix-{{ run_id }}'",
    "k8s_token_retriever": _DROP.format("logs come from Armada's log service, not from Kubernetes"),
    "job_acknowledgement_timeout": _DROP.format("a late answer of Armada is waited for"),
    "reattach_policy": "is called reattach here, and takes the same words and functions",
    # Kubernetes' own words, and other spellings that people try.
    "command": _ELSEWHERE.format("cmds"),
    "args": _ELSEWHERE.format("arguments"),
    "env": _ELSEWHERE.format("env_vars"),
    "host_network": _ELSEWHERE.format("hostnetwork"),
    "dns_policy": _ELSEWHERE.format("dnspolicy"),
    "queue_name": _ELSEWHERE.format("armada_queue"),
}
"""What to do with an argument that another operator has: each text goes on after the argument's name."""

_AIRFLOW_RESOURCES = {"cpus", "ram", "disk", "gpus"}


def check_names(operator_class: type, given: Mapping[str, Any]) -> None:
    """
    Refuse arguments that no class of an operator has.

    :param operator_class: class of the operator.
    :param given: the arguments that are left for the base classes.
    :raises TypeError: naming all of them, with what to do about each.
    """
    known = known_arguments(operator_class)
    found = [f"{name} {_answer(name, known)}" for name in given if name not in known and name[:1] != "_"]
    if isinstance(given.get("resources"), Mapping) and not set(given["resources"]) <= _AIRFLOW_RESOURCES:
        found.append("resources is an argument of Airflow that nobody reads; did you mean container_resources?")
    if found:
        raise TypeError(f"task {given.get('task_id')!r}: " + "; ".join(found))


def _answer(name: str, known: frozenset[str]) -> str:
    if name in ANSWERS:
        return ANSWERS[name]
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"is unknown; did you mean {close[0]}?" if close else "is unknown"


@cache
def known_arguments(operator_class: type) -> frozenset[str]:
    """
    Give the arguments of a class and of all its bases.

    :param operator_class: class of an operator.
    :return: the names.
    """
    names: set[str] = set()
    for base in operator_class.__mro__[:-1]:
        if "__init__" in vars(base):
            names.update(inspect.signature(vars(base)["__init__"]).parameters)
    return frozenset(names)
