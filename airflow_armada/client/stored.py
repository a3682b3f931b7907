"""What was stored in a database, taken back: known names, each with a value of its type."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_armada.client.foreign_text import one_line


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value) and abs(value) < 2**63)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _map_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(_is_text(key) and fits(one) for key, one in value.items())


_FITS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "int": _is_whole,
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "tuple[str, ...]": _is_texts,
    "dict[str, str]": _map_of(_is_text),
    "dict[str, int]": _map_of(_is_whole),
    "dict[str, list[Any]]": _map_of(lambda value: isinstance(value, list | tuple)),
}
"""By the annotation of a field."""


def stored_fields(kind: type[Any], stored: Mapping[str, Any], leave_out: Collection[str] = ()) -> dict[str, Any]:
    """Take the fields of a dataclass out of what was stored; another version may have stored more, or fewer.

    :param kind: the dataclass
    :param stored: names and values
    :param leave_out: names that are read elsewhere
    :return: arguments for the dataclass; lists as tuples where it has those
    :raises ValueError: naming the field that has no value of its type
    """
    found = {}
    for one in dataclasses.fields(kind):
        if one.name in stored and one.name not in leave_out:
            value = stored[one.name]
            if not _FITS[str(one.type)](value):
                raise ValueError(f"stored {one.name} is {one_line(repr(value), 60)}, which is no {one.type}")
            found[one.name] = tuple(value) if isinstance(value, list) else value
        elif one.name not in leave_out and one.default is one.default_factory is dataclasses.MISSING:
            raise ValueError(f"stored {one.name} is missing")
    return found


def stored_text(stored: Mapping[str, Any], name: str) -> str:
    """Take a text out of what was stored.

    :param stored: names and values
    :param name: its name
    :raises ValueError: when there is none
    """
    value = stored.get(name)
    if not isinstance(value, str):
        raise ValueError(f"stored {name} is {one_line(repr(value), 60)}, which is no text")
    return value
