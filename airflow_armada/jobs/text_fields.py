"""Which parts of an author's arguments are text by type: there ``3.10`` is a version, no number.

Airflow's native rendering makes Python values of all that looks like one. Here the message types decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.build import LAID_ARGUMENTS
from airflow_armada.jobs.job_forms import FILE_KEYS, message_type_of
from airflow_armada.jobs.kubernetes.scalars import SPECIAL_READERS
from airflow_armada.jobs.kubernetes.schema import find_field, is_map, is_repeated

Render = Callable[[Any, bool], Any]
"""Gives the value of a template, or of an object that stands for one; is told whether it must be text."""

_JOB_TEXTS = ("armada_queue", "job_set_id", "armada_conn_id", "gang_id", "gang_node_uniformity_label")
_TEXTS = frozenset({*_JOB_TEXTS, "container_name", "result_file"})
_BASES = ("job_request", "pod_spec")
_TEXT = "text"
_ENV = core_v1_pb2.EnvVar.DESCRIPTOR
_Kind = Any  # _TEXT, the descriptor of a message, or None where nothing is known


def render_argument(name: str, value: Any, render: Render) -> Any:
    """Render the templates in an argument.

    A list or mapping that one template gives as a whole keeps the types of its parts.

    :param name: of the argument
    :param value: builtins
    :param render: renders one template
    :return: the rendered value
    """
    if isinstance(value, str):
        return render(value, name in _TEXTS or _is_one_text(name))
    if name == "env_vars" and isinstance(value, Mapping):
        source = _kind_of(find_field(_ENV, "valueFrom"))
        return {key: _render(one, _TEXT if isinstance(one, str) else source, render) for key, one in value.items()}
    if name in _BASES and isinstance(value, Mapping):
        return _render(value, message_type_of(value), render)
    return _render(value, _kind_of(LAID_ARGUMENTS.get(name)), render)


def _is_one_text(name: str) -> bool:
    field = LAID_ARGUMENTS.get(name)
    return field is not None and _kind_of(field) == _TEXT and not is_repeated(field.descriptor)


def _render(value: Any, kind: _Kind, render: Render) -> Any:
    if isinstance(value, str):
        return render(value, kind == _TEXT)
    if isinstance(value, list | tuple):
        return [_render(entry, kind, render) for entry in value]
    if isinstance(value, Mapping):
        return {key: _render(entry, _kind_of_entry(kind, key), render) for key, entry in value.items()}
    return render(value, False)


def _kind_of_entry(kind: _Kind, key: Any) -> _Kind:
    if kind is None or kind == _TEXT:
        return kind
    return _kind_of(find_field(kind, FILE_KEYS.get(key, key))) if isinstance(key, str) else None


def _kind_of(field: Any) -> _Kind:
    """What a field holds, or each of its entries."""
    if field is None:
        return None
    descriptor = field.descriptor
    if is_map(descriptor):
        descriptor = descriptor.message_type.fields_by_name["value"]
    if descriptor.message_type is not None:
        return None if descriptor.message_type.full_name in SPECIAL_READERS else descriptor.message_type
    return _TEXT if descriptor.type == descriptor.TYPE_STRING else None
