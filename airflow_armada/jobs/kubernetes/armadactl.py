"""Submit files as ``armadactl`` reads them: more is forgiven there than in a manifest.

armadactl hands YAML to Go's JSON reader by way of ``sigs.k8s.io/yaml``: keys count in any case, what is not known is
left out, and a number or ``yes`` where text is expected becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.jobs.kubernetes.scalars import SPECIAL_READERS
from airflow_armada.jobs.kubernetes.schema import explain_unknown, find_field, is_map, json_fields

_POD = core_v1_pb2.PodSpec.DESCRIPTOR
_JOB = submit_pb2.JobSubmitRequestItem.DESCRIPTOR


def as_armadactl_reads(data: Any, descriptor: Any, path: str, notes: list[str]) -> Any:
    """A part of a submit file, as a manifest would have to say it.

    :param data: what YAML gave
    :param descriptor: of the message that it stands for
    :param path: where it stands
    :param notes: receives what is left out, one sentence each
    :return: the same with keys as the message spells them, without unknown ones, texts where text is expected
    """
    if descriptor.full_name in SPECIAL_READERS or not isinstance(data, Mapping):
        return data
    result: dict[str, Any] = {}
    for key, value in data.items():
        name = _spelt(descriptor, str(key))
        where = f"{path}.{key}"
        if name:
            field = find_field(descriptor, name)
            result[name] = value if field is None else _value(field.descriptor, value, where, notes)
        elif value is not None:
            notes.append(f"{where} is left out, as armadactl does: {_why(descriptor, str(key))}")
    return result


def _spelt(descriptor: Any, key: str) -> str:
    """The key as the message spells it, or nothing."""
    if find_field(descriptor, key) is not None:
        return key
    return next((name for name in json_fields(descriptor) if name.lower() == key.lower()), "")


def _why(descriptor: Any, key: str) -> str:
    if descriptor is _JOB and (name := _spelt(_POD, key)):
        return f"{name} belongs into the podSpec"
    return ", ".join(part for part in explain_unknown(descriptor, key) if part)


def _value(field: Any, value: Any, path: str, notes: list[str]) -> Any:
    if is_map(field):
        content = field.message_type.fields_by_name["value"]
        if isinstance(value, Mapping):
            return {key: _value(content, entry, f"{path}[{key!r}]", notes) for key, entry in value.items()}
        return value
    if isinstance(value, list):
        return [_value(field, entry, f"{path}[{index}]", notes) for index, entry in enumerate(value)]
    if field.message_type is not None:
        return as_armadactl_reads(value, field.message_type, path, notes)
    return as_text(value) if field.type == field.TYPE_STRING else value


def as_text(value: Any) -> Any:
    """A scalar where text is expected.

    :param value: what YAML gave
    :return: its text; what is no scalar stays as it is
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _go_float(value) if isinstance(value, float) else value


def _go_float(value: float) -> str:
    """As Go's ``strconv.FormatFloat(value, 'g', -1, 64)`` writes it."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    number = Decimal(repr(value)).normalize()
    if not value or -4 <= number.adjusted() < 6:
        return format(number, "f")
    sign, digits, _ = number.as_tuple()
    mantissa = "".join(map(str, digits))
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{fraction}e{number.adjusted():+03d}"
