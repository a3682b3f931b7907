"""Kubernetes JSON, as YAML gives it, to and from the wire messages, losing nothing.

The walk follows the message descriptors, so every field that the messages have is covered. Values are taken as the
Kubernetes API server takes them: a number is no string, ``"80"`` is no integer; a quantity may be written as a number,
a port of a probe as a number or a name. ``null`` means "not given". Beside that, what protobuf's own JSON writes
otherwise (``MessageToDict``) is taken: numbers of 64 bits as text, quantities and the like as objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.kubernetes.scalars import (
    SPECIAL_READERS,
    SPECIAL_WRITERS,
    read_scalar,
    type_name,
    write_scalar,
)
from airflow_armada.jobs.kubernetes.schema import (
    example_of,
    explain_unknown,
    find_field,
    inlined_field,
    is_map,
    is_not_carried,
    is_repeated,
)
from airflow_armada.jobs.problems import Problem, raise_if_any

M = TypeVar("M", bound=Message)


def pod_spec_from_dict(data: Mapping[str, Any], path: str = "spec") -> core_v1_pb2.PodSpec:
    """A pod spec message from its Kubernetes JSON.

    :param data: the pod spec, keys in camelCase
    :param path: what error messages call it
    :return: the message
    :raises InvalidJob: naming the path of everything that is not a pod spec's
    """
    return message_from_dict(core_v1_pb2.PodSpec, data, path)


def pod_spec_to_dict(spec: core_v1_pb2.PodSpec) -> dict[str, Any]:
    """The Kubernetes JSON of a pod spec message.

    :param spec: the message
    :return: builtins only, keys in camelCase
    """
    result: dict[str, Any] = message_to_dict(spec)
    return result


def message_from_dict(message_class: type[M], data: Any, path: str) -> M:
    """Any message of the API from its JSON.

    :param message_class: a class of ``airflow_armada.api``
    :param data: the JSON value
    :param path: what error messages call it
    :return: the message
    :raises InvalidJob: naming the path of everything that does not fit
    """
    problems: list[Problem] = []
    message = message_class()
    read_message(message, data, path, problems)
    raise_if_any(problems)
    return message


def read_message(message: Message, data: Any, path: str, problems: list[Problem]) -> None:
    """Fill a message from JSON and collect what does not fit.

    :param message: filled in place
    :param data: the JSON value
    :param path: where the value stands
    :param problems: receives what is wrong
    """
    special = SPECIAL_READERS.get(message.DESCRIPTOR.full_name)
    if special is not None:
        special(message, data, path, problems)
    elif isinstance(data, Mapping):
        _read_fields(message, data, path, problems)
    else:
        hint = f"its fields are {example_of(message.DESCRIPTOR)}"
        problems.append(Problem(path, "", f"expected an object with fields, got {type_name(data)}", hint))


def _read_fields(message: Message, data: Mapping[Any, Any], path: str, problems: list[Problem]) -> None:
    message.SetInParent()
    seen: dict[str, str] = {}
    for key, value in data.items():
        field = find_field(message.DESCRIPTOR, key) if isinstance(key, str) else None
        where = f"{path}.{key}" if path else str(key)
        if field is None and key == inlined_field(message.DESCRIPTOR) and isinstance(value, Mapping):
            _read_fields(getattr(message, key), value, where, problems)  # as protobuf's own JSON nests it
            continue
        if field is None and value is None and is_not_carried(message.DESCRIPTOR, str(key)):
            continue  # the dictionary of a model, which names all that it could have
        if field is None:
            problems.append(Problem(where, "", *explain_unknown(message.DESCRIPTOR, str(key))))
        elif field.name in seen:
            problems.append(Problem(where, "", f"the same field as {seen[field.name]}", "give it once"))
        elif value is not None:
            seen[field.name] = key
            holder = getattr(message, field.inside) if field.inside else message
            _read_field(holder, field.descriptor, value, where, problems)


def _read_field(message: Any, field: Any, value: Any, path: str, problems: list[Problem]) -> None:
    if is_map(field):
        _read_map(getattr(message, field.name), field, value, path, problems)
    elif is_repeated(field):
        _read_list(getattr(message, field.name), field, value, path, problems)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        read_message(inner, value, path, problems)
    else:
        scalar = read_scalar(field, value, path, problems)
        if scalar is not None:
            setattr(message, field.name, scalar)


def _read_list(target: Any, field: Any, value: Any, path: str, problems: list[Problem]) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        problems.append(Problem(path, "", f"expected a list, got {type_name(value)}", "put it in a list"))
        return
    for index, entry in enumerate(value):
        where = f"{path}[{index}]"
        if entry is None:
            problems.append(Problem(where, "", "empty entry in a list", "remove it"))
        elif field.message_type is not None:
            read_message(target.add(), entry, where, problems)
        else:
            scalar = read_scalar(field, entry, where, problems)
            if scalar is not None:
                target.append(scalar)


def _read_map(target: Any, field: Any, value: Any, path: str, problems: list[Problem]) -> None:
    if not isinstance(value, Mapping):
        problems.append(Problem(path, "", f"expected a mapping, got {type_name(value)}"))
        return
    content = field.message_type.fields_by_name["value"]
    for key, entry in value.items():
        where = f"{path}[{str(key)!r}]"
        if isinstance(key, bool) or not isinstance(key, str | int):
            problems.append(Problem(where, "", f"expected a text key, got {type_name(key)}", "put it in quotes"))
        elif entry is None:
            problems.append(Problem(where, "", "has no value", 'write "" for an empty one'))
        elif content.message_type is not None:
            read_message(target[str(key)], entry, where, problems)
        else:
            scalar = read_scalar(content, entry, where, problems)
            if scalar is not None:
                target[str(key)] = scalar


def message_to_dict(message: Message) -> Any:
    """The JSON of any message of the API.

    :param message: the message
    :return: builtins only, keys in camelCase
    """
    special = SPECIAL_WRITERS.get(message.DESCRIPTOR.full_name)
    if special is not None:
        return special(message)
    inlined = inlined_field(message.DESCRIPTOR)
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name == inlined:
            result.update(message_to_dict(value))
        else:
            result[field.json_name] = _write_field(field, value)
    return result


def _write_field(field: Any, value: Any) -> Any:
    if is_map(field):
        content = field.message_type.fields_by_name["value"]
        write = _writer(content)
        return {key: write(value[key]) for key in sorted(value)}
    write = _writer(field)
    return [write(entry) for entry in value] if is_repeated(field) else write(value)


def _writer(field: Any) -> Callable[[Any], Any]:
    if field.message_type is not None:
        return message_to_dict
    return lambda value: write_scalar(field, value)
