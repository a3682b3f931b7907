"""Checks of the operator's arguments that need no server, made when a DAG file is parsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import runs_task

if TYPE_CHECKING:
    from airflow_armada.task.arguments.task_arguments import TaskArguments

NEVER = "never"
RUNNING = "running"
RUNNING_OR_SUCCEEDED = "running_or_succeeded"
REATTACH_POLICIES = (NEVER, RUNNING, RUNNING_OR_SUCCEEDED)

RESUBMIT_ON = ("preempted", "evicted", "lease_expired")
_SOMETHING_TO_RUN = ("image", "pod_spec", "job_request")
_FLAGS = ("deferrable", "cancel_on_kill", "wait_for_completion", "end_from_trigger")


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


def check_result(operator: TaskArguments) -> None:
    """
    Check that somebody is there to take a result.

    :param operator: as its author made it.
    :raises ValueError: when nobody is.
    """
    if not isinstance(operator.get_result, bool | str) or operator.get_result == "":
        rule = "get_result must be True or False, or the name of the container that prints it"
        raise ValueError(f"{rule}, not {operator.get_result!r}")
    if operator.get_result and operator.wait_for_completion is False:
        raise ValueError("get_result needs wait_for_completion: a job prints its result at some time before its end")


def check_operator(operator: TaskArguments) -> None:
    """
    Refuse what can never work, as early as a DAG file is parsed; what is not known yet is checked later.

    :param operator: as its author made it.
    :raises ValueError: with every problem.
    """
    checks: list[Callable[[], None]] = [
        lambda: check_choice("reattach", operator.reattach, REATTACH_POLICIES),
        lambda: check_choice("resubmit_on", operator.resubmit_on, RESUBMIT_ON),
        lambda: check_count("preemption_retries", operator.preemption_retries),
        lambda: check_duration("queued_timeout", operator.queued_timeout),
        lambda: check_containers(operator.get_logs),
        lambda: check_exit_codes(operator.skip_on_exit_code),
        lambda: check_something_to_run({name: getattr(operator, name) for name in _SOMETHING_TO_RUN}),
        lambda: check_text("armada_queue", operator.armada_queue, required=operator.job_request is None),
        lambda: check_text("job_set_id", operator.job_set_id, required=False),
        lambda: check_text("armada_conn_id", operator.armada_conn_id),
        lambda: check_result(operator),
    ]
    flags = {name: getattr(operator, name) for name in _FLAGS} | {"dry_run": operator.only_dry_run}
    checks += [partial(check_flag, name, value) for name, value in flags.items()]
    if operator.end_from_trigger is True:
        from airflow_armada.task.end.in_trigger import check_end_from_trigger

        checks.append(lambda: check_end_from_trigger(operator))
    found = [text for check in checks if (text := _complaint(check))]
    # A worker reads the DAG file as well, to run a task that was checked before and is checked again when it submits.
    if not runs_task() and not any(text.startswith("nothing to run") for text in found):
        found += _job_complaints(operator)
    if found:
        raise ValueError(_summary(operator.task_id, found))


def _complaint(check: Callable[[], None]) -> str:
    try:
        check()
    except ValueError as error:
        return str(error)
    return ""


def _job_complaints(operator: TaskArguments) -> list[str]:
    from airflow_armada.hooks.site_rules import site_rules
    from airflow_armada.jobs.problems import InvalidJob
    from airflow_armada.task.arguments.known_job import known_problems

    try:
        return [str(problem) for problem in known_problems(operator, site_rules(str(operator.armada_conn_id)))]
    except InvalidJob as error:
        return [str(problem) for problem in error.problems]
    except ValueError as error:
        return [str(error)]


def _summary(task_id: str, found: list[str]) -> str:
    if len(found) == 1:
        return f"task {task_id!r}: {found[0]}"
    return "\n  - ".join([f"task {task_id!r} has {len(found)} problems:", *found])
