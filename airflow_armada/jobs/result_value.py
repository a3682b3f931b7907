"""The JSON text of a result as a value that Airflow can carry to other tasks."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 100
"""Levels of lists and objects; Airflow's API server refuses JSON of more than 200, of which its own take some."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_DEPTH_RULE = f"at most {MAX_DEPTH} levels of lists and objects"
_SHOWN = 60  # characters of a key
_LEAST, _GREATEST = -(2**63), 2**64 - 1  # what msgpack holds, by which a task speaks with its supervisor
_RESERVED = ("__classname__", "__id__")
_OLD_STYLE = frozenset({"__type", "__var"})

Place = tuple[str | int, ...]


class ResultError(ValueError):
    """The job's result cannot be used."""


class ResultMissing(ResultError):
    """The job ended well without printing the result that it was asked for."""


class ResultMalformed(ResultError):
    """The job printed a result that is not JSON, or of which parts are missing."""


class ResultTooLarge(ResultError):
    """The job printed a result that is larger than what may travel."""


class ResultNotCarried(ResultError):
    """The job printed a result that Airflow cannot hand to other tasks as it is."""


def read_value(text: str) -> Any:
    """Read a result.

    :param text: JSON
    :return: what it says
    :raises ResultMalformed: when it is not JSON
    :raises ResultNotCarried: when an XCom would change or refuse it; the message names the place and the rule
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _refused((), _DEPTH_RULE) from None
    except ValueError as error:
        raise ResultMalformed(f"the job's result is not JSON: {error}") from None
    _check(value, ())
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _refused(place: Place, rule: str) -> ResultNotCarried:
    where = f" at {''.join(f'[{_short(key)}]' for key in place)}" if place else ""
    return ResultNotCarried(f"the job's result cannot be carried by Airflow{where}: {rule}")


def _short(key: str | int) -> str:
    text = repr(key)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _check(value: Any, place: Place) -> None:
    if isinstance(value, list | dict):
        if len(place) >= MAX_DEPTH:
            raise _refused((), _DEPTH_RULE)
        if isinstance(value, dict):
            _check_keys(value, place)
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _check(entry, (*place, key))
    elif rule := _broken_rule(value):
        raise _refused(place, rule)


def _check_keys(value: dict[str, Any], place: Place) -> None:
    """Airflow's serialisation takes some keys for its own (``airflow.sdk.serde``).

    It refuses an object that has one of the first, and reads one that has both of the others as something else.
    """
    for key in value:
        if rule := _broken_text(key):
            raise _refused((*place, key), rule)
    reserved = [key for key in _RESERVED if key in value]
    if value.keys() >= _OLD_STYLE:
        reserved += sorted(_OLD_STYLE)
    if reserved:
        raise _refused(place, f"Airflow keeps the key {' with '.join(reserved)} to itself; rename it")


def _broken_rule(value: Any) -> str:
    if isinstance(value, str):
        return _broken_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite, at most 1.7e308"
    if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
        return "a whole number must be from -2**63 to 2**64-1; return it as text"
    return ""


def _broken_text(text: str) -> str:
    if "\0" in text:
        return "text must not hold a NUL (\\u0000), which databases do not store"
    if _SURROGATE.search(text):
        return "text must not hold half of a surrogate pair (\\ud800 to \\udfff)"
    return ""
