"""Hypothesis strategies for protobuf messages, built from their descriptors."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: _TEXT,
    # Text only: armada-client declares the one bytes field that we changed as a string.
    FieldDescriptor.TYPE_BYTES: _TEXT.map(str.encode),
}


def messages(cls: type[Message], depth: int = 3) -> st.SearchStrategy[Message]:
    """Return a strategy for messages of a class: any subset of its fields, nested `depth` levels deep."""
    return _contents(cls.DESCRIPTOR, depth).map(lambda content: cls(**content))


def _contents(descriptor: Descriptor, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if descriptor.full_name == "google.protobuf.Timestamp":
        return st.fixed_dictionaries({"seconds": st.integers(0, 2**33), "nanos": st.integers(0, 999_999_999)})
    fields = [field for field in descriptor.fields if depth > 0 or field.message_type is None]
    plain = {field.name: st.deferred(lambda f=field: _values(f, depth)) for field in fields if not _in_oneof(field)}
    contents = (
        st.sets(st.sampled_from(sorted(plain)), max_size=4).flatmap(
            lambda chosen: st.fixed_dictionaries({name: plain[name] for name in sorted(chosen)})
        )
        if plain
        else st.just({})
    )
    for oneof in (oneof for oneof in descriptor.oneofs if any(_in_oneof(field) for field in oneof.fields)):
        contents = st.tuples(contents, _one_of(oneof.fields, depth)).map(lambda pair: pair[0] | pair[1])
    return contents


def _one_of(fields: list[FieldDescriptor], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    usable = [field for field in fields if depth > 0 or field.message_type is None]
    single = [_values(field, depth).map(lambda value, name=field.name: {name: value}) for field in usable]
    return st.one_of(st.just({}), *single)


def _in_oneof(field: FieldDescriptor) -> bool:
    oneof = field.containing_oneof
    return oneof is not None and len(oneof.fields) > 1


def _is_repeated(field: FieldDescriptor) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(repeated) if repeated is not None else field.label == FieldDescriptor.LABEL_REPEATED


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if not _is_repeated(field):
        return _single(field, depth)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        keys, values = entry.fields_by_name["key"], entry.fields_by_name["value"]
        return st.dictionaries(_single(keys, depth), _single(values, depth), max_size=2)
    return st.lists(_single(field, depth), max_size=2)


def _single(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _contents(field.message_type, depth - 1)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return _SCALARS[field.type]
