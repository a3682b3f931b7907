"""Malformed quantities: the real server cannot even read a request that holds one, wherever in a pod it stands."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from airflow_armada.api.quantity import parse_quantity
from airflow_armada.api.resource_pb2 import Quantity

_SYNTAX = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
MALFORMED = f"quantities must match the regular expression '{_SYNTAX}'"
_QUANTITY = Quantity.DESCRIPTOR.full_name


def has_malformed_quantity(message: Any) -> bool:
    """Return whether any quantity in a message cannot be read; an empty one cannot."""
    if message.DESCRIPTOR.full_name == _QUANTITY:
        return _malformed(message.string)
    if not _holds_quantities(message.DESCRIPTOR):
        return False
    return any(
        has_malformed_quantity(part) for field, value in message.ListFields() for part in _messages(field, value)
    )


def _malformed(text: str) -> bool:
    if not re.match(_SYNTAX, text):
        return True
    try:
        parse_quantity(text)
    except ValueError:
        return True
    return False


def _messages(field: Any, value: Any) -> Any:
    """Return the messages in a field's value."""
    if field.message_type is None:
        return ()
    if field.message_type.GetOptions().map_entry:
        of = field.message_type.fields_by_name["value"].message_type
        return value.values() if of is not None else ()
    return (value,) if hasattr(value, "ListFields") else value


@cache
def _holds_quantities(descriptor: Any) -> bool:
    """Return whether a kind of message can hold a quantity, at any depth; no kind here holds itself."""
    if descriptor.full_name == _QUANTITY:
        return True
    return any(_holds_quantities(field.message_type) for field in descriptor.fields if field.message_type is not None)
