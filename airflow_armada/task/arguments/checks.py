"""Checks of single arguments, which need no server."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_armada.links.armada import link_key
from airflow_armada.links.templates import check_template, fill

NEVER = "never"
RUNNING = "running"
RUNNING_OR_SUCCEEDED = "running_or_succeeded"
ALWAYS = "always"
REATTACH_POLICIES = (NEVER, RUNNING, RUNNING_OR_SUCCEEDED, ALWAYS)

RESUBMIT_ON = ("preempted", "evicted", "lease_expired")

_LONGEST_NAME = 100


def is_template(text: str) -> bool:
    """
    Tell whether Airflow will change a text when it renders it.

    :param text: any text.
    :return: true for templates.
    """
    return any(mark in text for mark in ("{{", "{%", "{#"))


def is_known(value: Any) -> bool:
    """
    Tell whether a value is what it seems at parse time.

    :param value: of an argument.
    :return: false for templates, and for what another task will give (``XComArg``).
    """
    if isinstance(value, str):
        return not is_template(value)
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
    if not is_known(values):
        return
    for one in values if isinstance(values, Sequence) else (values,):
        if is_known(one) and one not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {one!r}")


def check_reattach(value: Any) -> None:
    """
    Check what says which jobs a retry takes over; templates pass.

    :param value: one of :data:`REATTACH_POLICIES`, or a function of a job's state and of the reason of its end.
    :raises ValueError: when it is something else.
    """
    if not callable(value):
        check_choice("reattach", value, REATTACH_POLICIES)
        return
    try:
        inspect.signature(value).bind(None, "")
    except TypeError:
        raise ValueError(
            "reattach, a function, must take two arguments: a job's state and the reason of its end"
        ) from None
    except ValueError:
        return  # something built in, which tells nothing of its parameters


def check_flag(name: str, value: Any) -> None:
    """
    Check a switch; a text would count as true whatever it says.

    :param name: of the argument.
    :param value: of the argument.
    :raises ValueError: naming the argument.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")


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


def check_text(name: str, value: Any, *, required: bool = True) -> None:
    """
    Check a text; templates and results of other tasks pass.

    :param name: of the argument.
    :param value: of the argument.
    :param required: whether it must not be empty.
    :raises ValueError: naming the argument.
    """
    if required and (value is None or (isinstance(value, str) and not value.strip())):
        raise ValueError(f"{name} must not be empty")
    if value is not None and not isinstance(value, str) and is_known(value):
        raise ValueError(f"{name} must be text, not {value!r}")


def check_something_to_run(fields: dict[str, Any]) -> None:
    """
    Check that there is something to run.

    :param fields: the arguments that can say so, by name.
    :raises ValueError: naming them.
    """
    if all(value is None or value == "" for value in fields.values()):
        raise ValueError(f"nothing to run: give one of {', '.join(fields)}")


def check_containers(value: Any) -> None:
    """
    Check what says whose logs to show.

    :param value: true or false, or one or several names of containers.
    :raises ValueError: when it is something else.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(value, bool) and not (
        isinstance(names, list | tuple) and names and all(isinstance(name, str) and name for name in names)
    ):
        raise ValueError(f"get_logs must be True, False, or names of containers, not {value!r}")


def check_links(value: Any) -> None:
    """
    Check links to pages about the job; templates pass.

    :param value: addresses by name.
    :raises ValueError: naming the link.
    """
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name.strip() for name in value):
        raise ValueError(f"extra_links must map names to addresses, not {type(value).__name__}")
    keys: dict[str, str] = {}
    for name, template in value.items():
        what = f"extra_links[{name!r}]"
        if isinstance(template, re.Pattern):
            raise ValueError(f"{what}: no address is looked for in the log; write one with {{job_id}} in it")
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"{what}: the name is longer than {_LONGEST_NAME} characters")
        if same := keys.get(link_key(name)):
            raise ValueError(f"{what}: the name differs from {same!r} in nothing but capital letters")
        keys[link_key(name)] = name
        if is_known(template):
            check_template(template, what)


def check_lookout(value: Any) -> None:
    """
    Check the address of jobs' pages; templates pass.

    :param value: an address with ``{job_id}``.
    :raises ValueError: when it is none.
    """
    if value is None or not is_known(value):
        return
    check_template(value, "lookout_url_template", ("job_id",))
    if fill(value, {"job_id": ""}):
        raise ValueError("lookout_url_template must hold {job_id}, which stands for the id of the job")


def check_exit_codes(value: Any) -> None:
    """
    Check what says which exit codes skip the task.

    :param value: a number, or several.
    :raises ValueError: when it is something else, or 0, which is a success.
    """
    codes = [value] if isinstance(value, int) else value
    if value is not None and not (
        isinstance(codes, list | tuple | set | frozenset | range)
        and all(isinstance(code, int) and not isinstance(code, bool) and 1 <= code <= 255 for code in codes)
    ):
        raise ValueError(f"skip_on_exit_code must be one or several exit codes from 1 to 255, not {value!r}")
