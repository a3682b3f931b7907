"""The values inside Kubernetes JSON: plain scalars, and the few messages that JSON writes as one value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from airflow_armada.jobs.problems import Problem, shorten

_INT_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_INT32 = 2**32
_INT64 = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"\.(\d{1,9})(?=[Zz+-])", re.ASCII)


def read_scalar(field: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    """A JSON value as a scalar field takes it.

    :param field: the field's descriptor
    :param value: the JSON value, not None
    :param path: where the value stands
    :param problems: receives what is wrong
    :return: the value to set, or None when it does not fit
    """
    if field.enum_type is not None:
        return _read_enum(field, value, path, problems)
    if field.type in _INT_RANGES:
        return _read_int(value, path, problems, *_INT_RANGES[field.type])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return value if isinstance(value, bool) else _refuse(value, path, problems, "true or false")
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return float(value) if _is_number(value) else _refuse(value, path, problems, "a finite number")
    return _read_text(value, path, problems)


def _read_text(value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, bool | int | float) else ""
        return _refuse(value, path, problems, "text", hint)
    try:
        value.encode()
    except UnicodeEncodeError:
        return _refuse(value, path, problems, "text that can be written as UTF-8")
    return value


def _read_int(value: Any, path: str, problems: list[Problem], low: int, high: int) -> Any:
    if high > _INT32 and isinstance(value, str) and _INT64.fullmatch(value):
        value = int(value)  # as protobuf's JSON writes numbers of 64 bits
    if isinstance(value, bool) or not isinstance(value, int):
        digits = isinstance(value, str) and value.strip().isdigit()
        hint = "write it without quotes; in a template, render native objects" if digits else ""
        return _refuse(value, path, problems, "a whole number", hint)
    if not low <= value <= high:
        return _refuse(value, path, problems, f"a whole number from {low} to {high}")
    return value


def _read_enum(field: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    names = field.enum_type.values_by_name
    if isinstance(value, str) and value in names:
        return int(names[value].number)
    if isinstance(value, int) and not isinstance(value, bool) and value in field.enum_type.values_by_number:
        return value
    return _refuse(value, path, problems, f"one of {', '.join(names)}")


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _refuse(value: Any, path: str, problems: list[Problem], expected: str, suggestion: str = "") -> Any:
    """Note the problem and return None; the value itself is shown only where it cannot be a secret."""
    shown = _shown(value) if isinstance(value, bool | int | float | str) and _may_show(path) else type_name(value)
    problems.append(Problem(path, shown, f"expected {expected}", suggestion))
    return None


def _shown(value: bool | int | float | str) -> str:
    try:
        return shorten(repr(value))
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


def _may_show(path: str) -> bool:
    return not path.endswith(".value") and "env" not in path.lower() and ".args" not in path and ".command" not in path


def write_scalar(field: Any, value: Any) -> Any:
    """A scalar field's value as JSON writes it.

    :param field: the field's descriptor
    :param value: the field's value
    :return: text, number or bool
    """
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return value if known is None else known.name
    if field.type == FieldDescriptor.TYPE_DOUBLE and value.is_integer() and (value or math.copysign(1, value) > 0):
        return int(value)
    return value


def _read_quantity(message: Any, value: Any, path: str, problems: list[Problem]) -> None:
    if isinstance(value, Mapping) and set(value) == {"string"}:
        value = value["string"]
    if isinstance(value, str):
        message.string = value
    elif _is_number(value):
        message.string = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
    else:
        _refuse(value, path, problems, "a quantity such as 500m, 2 or 1Gi")


def _read_int_or_string(message: Any, value: Any, path: str, problems: list[Problem]) -> None:
    if isinstance(value, Mapping) and value.keys() <= {"type", "intVal", "strVal"}:
        value = value.get("strVal", "") if str(value.get("type", 0)) == "1" else value.get("intVal", 0)
    if isinstance(value, str):
        message.type, message.strVal = 1, value
    elif (number := _read_int(value, path, problems, -(2**31), 2**31 - 1)) is not None:
        message.type, message.intVal = 0, number


def _write_int_or_string(message: Any) -> int | str:
    return str(message.strVal) if message.type == 1 else int(message.intVal)


def _read_time(message: Any, value: Any, path: str, problems: list[Problem]) -> None:
    try:
        message.seconds, message.nanos = _seconds_and_nanos(value)
    except (ValueError, TypeError, OverflowError):
        _refuse(value, path, problems, "a time such as 2026-01-31T12:00:00Z")


def _seconds_and_nanos(value: Any) -> tuple[int, int]:
    if isinstance(value, Mapping) and value.keys() <= {"seconds", "nanos"}:
        return int(value.get("seconds", 0)), int(value.get("nanos", 0))
    if isinstance(value, datetime):
        value = value.isoformat()
    fraction = _FRACTION.search(value)
    nanos = int(fraction[1].ljust(9, "0")) if fraction else 0
    moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", _FRACTION.sub("", value)))
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return (moment - _EPOCH) // timedelta(seconds=1), nanos


def _write_time(message: Any) -> str:
    text = (_EPOCH + timedelta(seconds=message.seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{message.nanos:09d}".rstrip("0") if message.nanos else ""
    return f"{text.rjust(19, '0')}{fraction}Z"


def _read_fields_v1(message: Any, value: Any, path: str, problems: list[Problem]) -> None:
    try:
        message.Raw = json.dumps(value, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        _refuse(None, path, problems, "an object of JSON")


def _write_fields_v1(message: Any) -> Any:
    try:
        return json.loads(message.Raw or b"{}")
    except (ValueError, RecursionError):
        return {}  # a record of who changed what, which no job carries


def type_name(value: Any) -> str:
    """What a JSON author calls the type of a value.

    :param value: any value
    :return: such as ``a number``
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__


_APIMACHINERY = "k8s.io.apimachinery.pkg."
QUANTITY = f"{_APIMACHINERY}api.resource.Quantity"
INT_OR_STRING = f"{_APIMACHINERY}util.intstr.IntOrString"
TIME = f"{_APIMACHINERY}apis.meta.v1.Time"
FIELDS_V1 = f"{_APIMACHINERY}apis.meta.v1.FieldsV1"

SPECIAL_READERS: Mapping[str, Callable[[Any, Any, str, list[Problem]], None]] = {
    QUANTITY: _read_quantity,
    INT_OR_STRING: _read_int_or_string,
    TIME: _read_time,
    FIELDS_V1: _read_fields_v1,
}
SPECIAL_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    QUANTITY: lambda message: message.string,
    INT_OR_STRING: _write_int_or_string,
    TIME: _write_time,
    FIELDS_V1: _write_fields_v1,
}
