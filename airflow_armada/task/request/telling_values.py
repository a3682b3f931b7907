"""Values of a job's environment that nobody shall read: those of variables with telling names, such as ``PASSWORD``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import is_sensitive_name
from airflow_armada.jobs.problems import InvalidJob

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2

_WHERE = ("env_vars", "pod_spec", "job_request", "containers", "init_containers")
_WORDS = frozenset({"true", "false", "none", "null"})
"""What is masked vanishes from every log line."""


def hide_telling_values(arguments: Mapping[str, Any], item: submit_pb2.JobSubmitRequestItem | None) -> None:
    """
    Let Airflow mask them in logs and rendered templates: it knows names of mappings, not of ``{"name": ...}``.

    :param arguments: those of the operator, rendered.
    :param item: the request that was made of them; None where they make none.
    """
    from airflow.sdk.log import mask_secret

    found = {value for name in _WHERE for value in _in_data(arguments.get(name))}
    if item is not None:
        found |= set(_in_request(item))
    for value in found:
        if value.lower() not in _WORDS:
            mask_secret(value)


def _in_request(item: submit_pb2.JobSubmitRequestItem) -> Iterator[str]:
    for pod in (item.pod_spec, *item.pod_specs):
        for container in (*pod.containers, *pod.initContainers):
            for variable in container.env:
                if variable.value and is_sensitive_name(variable.name):
                    yield variable.value


def _in_data(data: Any, depth: int = 0) -> Iterator[str]:
    """Look into what makes no request, and so is shown as it is."""
    from airflow_armada.jobs.kubernetes.yaml_text import load_documents

    if depth > 20:
        return
    if isinstance(data, str) and depth == 0:
        with suppress(InvalidJob):
            data = load_documents(data, "")
    if isinstance(data, Mapping):
        name, value = data.get("name"), data.get("value")
        if isinstance(name, str) and isinstance(value, str) and value and is_sensitive_name(name):
            yield value
        data = data.values()
    if isinstance(data, Iterable) and not isinstance(data, str | bytes):
        for one in data:
            yield from _in_data(one, depth + 1)
