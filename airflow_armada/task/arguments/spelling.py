"""Arguments that the operator does not have, and what their author may have meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

_ELSEWHERE = {
    "command": "cmds",
    "args": "arguments",
    "env": "env_vars",
    "full_pod_spec": "pod_spec",
    "pod_template_dict": "pod_spec",
    "pod_template_file": "pod_spec",
    "hostnetwork": "pod_spec",
    "dnspolicy": "pod_spec",
    "termination_grace_period": "termination_grace_period_seconds",
    "reattach_on_restart": "reattach",
    "startup_timeout_seconds": "queued_timeout",
    "container_logs": "get_logs",
    "kubernetes_conn_id": "armada_conn_id",
    "channel_args": "armada_conn_id",
    "job_set_prefix": "job_set_id",
}
"""Names that Kubernetes, KubernetesPodOperator and the published operator have for what is called otherwise here."""

_AIRFLOW_RESOURCES = {"cpus", "ram", "disk", "gpus"}


def check_names(operator_class: type, given: Mapping[str, Any]) -> None:
    """
    Refuse arguments that no class of an operator has.

    :param operator_class: class of the operator.
    :param given: the arguments that are left for the base classes.
    :raises TypeError: naming all of them, with suggestions.
    """
    known = _known(operator_class)
    found = [f"{name} is unknown{_hint(name, known)}" for name in given if name not in known and name[:1] != "_"]
    if isinstance(given.get("resources"), Mapping) and not set(given["resources"]) <= _AIRFLOW_RESOURCES:
        found.append("resources is an argument of Airflow that nobody reads; did you mean container_resources?")
    if found:
        raise TypeError(f"task {given.get('task_id')!r}: " + "; ".join(found))


def _hint(name: str, known: frozenset[str]) -> str:
    close = [_ELSEWHERE[name]] if name in _ELSEWHERE else difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


@cache
def _known(operator_class: type) -> frozenset[str]:
    """Give the arguments of a class and of all its bases."""
    names: set[str] = set()
    for base in operator_class.__mro__[:-1]:
        if "__init__" in vars(base):
            names.update(inspect.signature(vars(base)["__init__"]).parameters)
    return frozenset(names)
