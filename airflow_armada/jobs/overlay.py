"""Lay short-form arguments over a message: scalars replace, lists merge by key, maps merge."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_armada.jobs.kubernetes.convert import message_to_dict, read_message
from airflow_armada.jobs.kubernetes.models import to_plain
from airflow_armada.jobs.kubernetes.schema import find_field, is_map, is_repeated
from airflow_armada.jobs.problems import InvalidJob, Problem

Coercion = Callable[[Any], Any]


def as_texts(value: Any) -> Any:
    """A list of texts; numbers, which native rendering makes of digits, become text again."""
    return [_text(entry) for entry in value] if isinstance(value, list | tuple) else value


def as_text_values(value: Any) -> Any:
    """A mapping of texts; numbers become text."""
    return {key: _text(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_integer(value: Any) -> Any:
    """A whole number, also from the digits that a template renders to, or from a duration of whole seconds."""
    if isinstance(value, timedelta) and not value.microseconds:
        return int(value.total_seconds())
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value.strip()) else value


def as_number(value: Any) -> Any:
    """A number, also from the text that a template renders to."""
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value


def as_switch(value: Any) -> Any:
    """True or false, also from the text that a template renders to."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def named(value: Any) -> Any:
    """A list of references; a bare text is the name of one."""
    return [{"name": entry} if isinstance(entry, str) else entry for entry in value] if _is_list(value) else value


def container_ports(value: Any) -> Any:
    """A list of container ports; a bare number is one."""
    return (
        [{"containerPort": e} if isinstance(e, int) else e for e in map(as_integer, value)]
        if _is_list(value)
        else value
    )


def exposed_ports(value: Any) -> Any:
    """A list of services or ingresses; a bare number is one with that port."""
    return [{"ports": [e]} if isinstance(e, int) else e for e in map(as_integer, value)] if _is_list(value) else value


def environment(value: Any) -> Any:
    """A list of ``EnvVar`` from a mapping of name to text or to a source."""
    if not isinstance(value, Mapping):
        return value
    return [
        {"name": name, "valueFrom": entry} if isinstance(entry, Mapping) else {"name": name, "value": _text(entry)}
        for name, entry in value.items()
    ]


def resources(value: Any) -> Any:
    """Resource requirements; a flat mapping means both requests and limits."""
    sides = ("requests", "limits", "claims")
    if isinstance(value, Mapping) and value and not any(side in value for side in sides):
        return {"requests": dict(value), "limits": dict(value)}
    return value


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


@dataclass(frozen=True)
class Laid:
    """How one argument is laid over a message.

    :param argument: attribute of :class:`~airflow_armada.jobs.job_spec.JobSpec`
    :param field: JSON name of the field
    :param key: for lists of messages: the field that tells entries apart; an entry of the base with the same one is
        replaced. Empty: the list is replaced as a whole
    :param coerce: applied to the value first
    """

    argument: str
    field: str
    key: str = ""
    coerce: Coercion | None = None


def lay(message: Any, table: Iterable[Laid], spec: Any, problems: list[Problem]) -> None:
    """Lay every argument of a table that is given over a message.

    :param message: changed in place
    :param table: how
    :param spec: holds the arguments
    :param problems: receives what is wrong, under the argument's name
    """
    for entry in table:
        value = getattr(spec, entry.argument)
        if value is not None and value != "":
            lay_value(message, entry, value, problems)


def lay_value(message: Any, laid: Laid, value: Any, problems: list[Problem]) -> None:
    """Lay one value over a field of a message.

    :param message: changed in place
    :param laid: how
    :param value: builtins, models or messages
    :param problems: receives what is wrong
    """
    try:
        plain = to_plain(value, laid.argument)
    except InvalidJob as error:
        problems.extend(error.problems)
        return
    piece = type(message)()
    found: list[Problem] = []
    read_message(piece, {laid.field: laid.coerce(plain) if laid.coerce else plain}, "", found)
    found += [*_empty_variables(laid, plain), *_repeated(laid, piece)]
    if found:
        problems.extend(_renamed(problem, laid, plain) for problem in found)
    else:
        _merge(message, piece, laid)


def _empty_variables(laid: Laid, plain: Any) -> list[Problem]:
    if laid.coerce is not environment or not isinstance(plain, Mapping):
        return []
    rule, hint = "has no value", 'write "" for an empty one'
    return [
        Problem(f"{laid.field}[{index}]", "", rule, hint) for index, one in enumerate(plain.values()) if one is None
    ]


def _repeated(laid: Laid, piece: Any) -> list[Problem]:
    """Entries of one argument that would replace each other; Kubernetes allows it for variables alone."""
    if laid.key in ("", MERGE) or laid.coerce is environment:
        return []
    seen: set[Any] = set()
    found = []
    for index, entry in enumerate(getattr(piece, laid.field)):
        key = getattr(entry, laid.key)
        if key in seen:
            rule = f"another entry has the same {laid.key}"
            found.append(Problem(f"{laid.field}[{index}].{laid.key}", repr(key), rule, "change one of them"))
        seen.add(key)
    return found


def _renamed(problem: Problem, laid: Laid, plain: Any) -> Problem:
    path = problem.path.removeprefix(laid.field)
    if laid.coerce is environment and isinstance(plain, Mapping) and (match := _VARIABLE.match(path)):
        path = f"[{list(plain)[int(match[1])]!r}]{path[match.end() :]}"
    return Problem(laid.argument + path, problem.value, problem.rule, problem.suggestion)


_DIGITS = re.compile(r"\d{1,20}", re.ASCII)
_VARIABLE = re.compile(r"\[(\d+)\](?:\.value(?:From)?\b)?")


def _merge(message: Any, piece: Any, laid: Laid) -> None:
    laid_over = find_field(message.DESCRIPTOR, laid.field)
    if laid_over is not None and _is_scalar(laid_over.descriptor):
        # Not by the fields that are set: to protobuf a zero is none of them.
        setattr(message, laid_over.descriptor.name, getattr(piece, laid_over.descriptor.name))
        return
    for field, value in piece.ListFields():
        target = getattr(message, field.name)
        if is_map(field):
            message.MergeFrom(piece)
        elif is_repeated(field) and laid.key:
            merge_by_key(target, value, laid.key)
        elif field.message_type is not None and laid.key == MERGE:
            target.MergeFrom(value)
        else:
            message.ClearField(field.name)
            message.MergeFrom(piece)


def _is_scalar(field: Any) -> bool:
    return field.message_type is None and not is_repeated(field)


MERGE = "*"


def merge_by_key(target: Any, additions: Any, key: str) -> None:
    """Add messages to a list, in place of those with the same key.

    :param target: a repeated field, changed in place
    :param additions: messages of the same type
    :param key: the field that tells them apart, or ``*`` for all fields
    """
    places = {_identity(entry, key): index for index, entry in enumerate(target)}
    for addition in additions:
        place = places.get(_identity(addition, key))
        if place is None:
            places[_identity(addition, key)] = len(target)
            target.add().CopyFrom(addition)
        else:
            target[place].CopyFrom(addition)


def _identity(entry: Any, key: str) -> Any:
    return repr(message_to_dict(entry)) if key == MERGE else getattr(entry, key)
