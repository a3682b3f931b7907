"""Python objects that stand for Kubernetes JSON, turned into builtins without importing their packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from airflow_armada.jobs.kubernetes.convert import message_to_dict
from airflow_armada.jobs.kubernetes.schema import MAX_DEPTH
from airflow_armada.jobs.problems import InvalidJob, Problem

_SHOWN_PATH = 100  # characters

M = TypeVar("M", bound=Message)


def is_message(value: Any) -> bool:
    """Whether a value is a protobuf message, ours or another package's.

    :param value: any value
    :return: True for messages
    """
    return hasattr(value, "DESCRIPTOR") and hasattr(value, "SerializePartialToString")


def adopt(value: Any, message_class: type[M]) -> M:
    """A message of our class with the content of a message of the same type, whichever package made it.

    The bytes are what both share, so fields that only the other package knows stay in the message.

    :param value: a message of the same protobuf type
    :param message_class: our class
    :return: a new message
    """
    return message_class.FromString(value.SerializePartialToString())


def message_class_of(value: Any) -> type[Message] | None:
    """Our class for the type of a message.

    :param value: a message of any package
    :return: the class, or None when the API has no such type
    """
    from airflow_armada.api import core_v1_pb2, intstr_pb2, meta_v1_pb2, networking_v1_pb2, resource_pb2, submit_pb2

    for module in (submit_pb2, core_v1_pb2, meta_v1_pb2, resource_pb2, intstr_pb2, networking_v1_pb2):
        found = getattr(module, value.DESCRIPTOR.name, None)
        if found is not None and found.DESCRIPTOR.full_name == value.DESCRIPTOR.full_name:
            return found  # type: ignore[no-any-return]
    return None


def to_plain(value: Any, path: str, levels: int = MAX_DEPTH) -> Any:
    """A value with everything in it turned into builtins: models, messages, mappings, lists.

    :param value: JSON-like data that may hold ``kubernetes.client`` models or messages at any depth
    :param path: what error messages call it
    :param levels: of lists and mappings that are followed
    :return: Kubernetes JSON as builtins, models without what is None; what is not recognised is left as it is
    :raises InvalidJob: for a message that JSON cannot express, and for what is nested too deeply
    """
    if isinstance(value, type):
        return value
    if levels < 0:
        rule, hint = f"has more than {MAX_DEPTH} levels of lists and mappings", "does it hold itself?"
        raise InvalidJob([Problem(path[:_SHOWN_PATH], "", rule, hint)])
    if isinstance(value, Mapping):
        return {key: to_plain(entry, f"{path}.{key}", levels - 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(entry, f"{path}[{index}]", levels - 1) for index, entry in enumerate(value)]
    if is_message(value):
        return _message_to_plain(value, path)
    if isinstance(getattr(value, "attribute_map", None), Mapping):
        return _model_to_plain(value, path, levels)
    if callable(getattr(value, "to_dict", None)):
        return to_plain(_without_none(value.to_dict()), path, levels - 1)
    return value


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    return [_without_none(entry) for entry in value] if isinstance(value, list) else value


def _model_to_plain(model: Any, path: str, levels: int) -> dict[str, Any]:
    """A model of ``kubernetes.client``: ``attribute_map`` gives each attribute's JSON name."""
    fields = ((json_name, getattr(model, name)) for name, json_name in model.attribute_map.items())
    return {name: to_plain(value, f"{path}.{name}", levels - 1) for name, value in fields if value is not None}


def _message_to_plain(value: Any, path: str) -> Any:
    message_class = message_class_of(value)
    if message_class is None:
        rule = f"a message of type {value.DESCRIPTOR.full_name} is no part of a job"
        raise InvalidJob([Problem(path, "", rule)])
    message = adopt(value, message_class)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        rule = f"a {value.DESCRIPTOR.name} with fields that this version does not know cannot be part of a mapping"
        raise InvalidJob([Problem(path, "", rule, "give the whole job or pod spec as a message")])
    return message_to_dict(message)
