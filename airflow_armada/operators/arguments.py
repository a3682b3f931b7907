"""Checks of the operator's arguments that need no server, made when a DAG file is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

RESUBMIT_ON = ("preempted", "evicted", "lease_expired")


def is_known(value: Any) -> bool:
    """
    Tell whether a value is what it seems at parse time.

    :param value: of an argument.
    :return: false for templates, and for what another task will give (``XComArg``).
    """
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    return value is None or isinstance(value, bool | int | float | timedelta | Sequence)


def seconds(value: Any) -> float | None:
    """
    Read a duration.

    :param value: a ``timedelta``, seconds as a number or a text, or None.
    :return: seconds, or None.
    :raises ValueError: when it is no duration, or not a positive one.
    """
    if value is None or value == "":
        return None
    number = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not number > 0:
        raise ValueError(f"must be more than 0 seconds, not {number:g}")
    return number


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """
    Check a text, or each text of a list, against what is possible; templates pass.

    :param name: of the argument.
    :param value: of the argument.
    :param choices: what is possible.
    :raises ValueError: naming the argument and the choices.
    """
    values = [value] if isinstance(value, str) else value
    for one in values if isinstance(values, Sequence) else ():
        if is_known(one) and one not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {one!r}")


def check_count(name: str, value: Any) -> None:
    """
    Check a number of times; templates pass.

    :param name: of the argument.
    :param value: of the argument.
    :raises ValueError: naming the argument.
    """
    if not is_known(value):
        return
    try:
        fits = not isinstance(value, bool) and int(value) == float(value) and int(value) >= 0
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"{name} must be a whole number from 0, not {value!r}")


def check_duration(name: str, value: Any) -> None:
    """
    Check a duration; templates pass.

    :param name: of the argument.
    :param value: of the argument.
    :raises ValueError: naming the argument.
    """
    if not is_known(value):
        return
    try:
        seconds(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a timedelta or a number of seconds: {error}") from None


def check_text(name: str, value: Any) -> None:
    """
    Check a text that must not be empty; templates and results of other tasks pass.

    :param name: of the argument.
    :param value: of the argument.
    :raises ValueError: naming the argument.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError(f"{name} must not be empty")


def check_something_to_run(fields: dict[str, Any]) -> None:
    """
    Check that there is something to run.

    :param fields: the arguments that can say so, by name.
    :raises ValueError: naming them.
    """
    if all(value is None or value == "" for value in fields.values()):
        raise ValueError(f"nothing to run: give one of {', '.join(fields)}")
