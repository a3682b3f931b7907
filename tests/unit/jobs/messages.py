"""Hypothesis strategies for the wire messages, made from their descriptors."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st

from airflow_armada.jobs.kubernetes import scalars
from airflow_armada.jobs.kubernetes.schema import inlined_field, is_map, is_repeated

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
QUANTITIES = st.sampled_from(["0", "1", "500m", "1.5", "2Gi", "1e3", "100M"])
_JSON = st.dictionaries(TEXT, st.integers() | TEXT | st.booleans(), max_size=2)
_TIMES = st.tuples(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999))
_NUMBERS = {
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldDescriptor.TYPE_STRING: TEXT,
}


@st.composite
def messages(draw: st.DrawFn, message_class: Any, depth: int = 6, fields: int = 3) -> Any:
    """Messages that JSON can express: an inlined struct is there only with something in it."""
    message = message_class()
    _fill(draw, message, depth, fields)
    return message


def _fill(draw: st.DrawFn, message: Any, depth: int, fields: int) -> None:
    name = message.DESCRIPTOR.full_name
    if name in _SPECIAL:
        _SPECIAL[name](draw, message)
        return
    candidates = [field for field in message.DESCRIPTOR.fields if depth or field.message_type is None]
    if not candidates:
        return
    for field in draw(st.lists(st.sampled_from(candidates), max_size=fields, unique_by=lambda field: field.name)):
        _set(draw, message, field, depth - 1)
    inlined = inlined_field(message.DESCRIPTOR)
    if inlined and message.HasField(inlined) and not getattr(message, inlined).ListFields():
        message.ClearField(inlined)


def _set(draw: st.DrawFn, message: Any, field: Any, depth: int) -> None:
    target = getattr(message, field.name)
    if is_map(field):
        for key in draw(st.lists(TEXT, max_size=2)):
            content = field.message_type.fields_by_name["value"]
            if content.message_type is None:
                target[key] = draw(_scalars(content))
            else:
                _fill(draw, target[key], depth, 2)
    elif is_repeated(field):
        for _ in range(draw(st.integers(0, 2))):
            if field.message_type is None:
                target.append(draw(_scalars(field)))
            else:
                _fill(draw, target.add(), depth, 2)
    elif field.message_type is None:
        setattr(message, field.name, draw(_scalars(field)))
    else:
        target.SetInParent()
        _fill(draw, target, depth, 3)


def _scalars(field: Any) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return _NUMBERS[field.type]


def _fill_int_or_string(draw: st.DrawFn, message: Any) -> None:
    if draw(st.booleans()):
        message.type, message.strVal = 1, draw(TEXT)
    else:
        message.type, message.intVal = 0, draw(_NUMBERS[FieldDescriptor.TYPE_INT32])


def _fill_time(draw: st.DrawFn, message: Any) -> None:
    message.seconds, message.nanos = draw(_TIMES)


def _fill_fields(draw: st.DrawFn, message: Any) -> None:
    message.Raw = json.dumps(draw(_JSON), separators=(",", ":")).encode()


def _fill_quantity(draw: st.DrawFn, message: Any) -> None:
    message.string = draw(QUANTITIES)


_SPECIAL = {
    scalars.QUANTITY: _fill_quantity,
    scalars.INT_OR_STRING: _fill_int_or_string,
    scalars.TIME: _fill_time,
    scalars.FIELDS_V1: _fill_fields,
}
