"""What can never work is refused as early as a DAG file is parsed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_armada._compat import runs_task
from airflow_armada.client.failure import SettingsError
from airflow_armada.hooks.job_defaults import configured_defaults
from airflow_armada.task.arguments.checks import (
    RESUBMIT_ON,
    check_choice,
    check_containers,
    check_count,
    check_duration,
    check_exit_codes,
    check_flag,
    check_links,
    check_lookout,
    check_reattach,
    check_something_to_run,
    check_text,
)

if TYPE_CHECKING:
    from airflow_armada.task.arguments.task_arguments import TaskArguments

SOMETHING_TO_RUN = ("image", "pod_spec", "job_request")
"""One of these arguments each task needs."""

_FLAGS = ("deferrable", "cancel_on_kill", "wait_for_completion", "end_from_trigger", "armada_compat_xcom")


def check_result(operator: TaskArguments) -> None:
    """
    Check that somebody is there to take a result.

    :param operator: as its author made it.
    :raises ValueError: when nobody is.
    """
    if not isinstance(operator.get_result, bool | str) or operator.get_result == "":
        rule = "get_result must be True or False, or the name of the container that prints it"
        raise ValueError(f"{rule}, not {operator.get_result!r}")
    if operator.result_file and not operator.get_result:
        raise ValueError("result_file needs get_result=True, which makes the file's content the task's return value")
    from airflow_armada.jobs.result_file import XCOM_FILE

    if operator.do_xcom_push and not operator.get_result and _mentions(operator, XCOM_FILE):
        way = f"add get_result=True, result_file={XCOM_FILE!r}, or do_xcom_push=False where nothing needs it"
        raise ValueError(f"the command writes {XCOM_FILE}, which no sidecar reads here: {way}")
    if operator.get_result and operator.wait_for_completion is False:
        raise ValueError("get_result needs wait_for_completion: a job prints its result at some time before its end")


def _mentions(operator: TaskArguments, path: str) -> bool:
    words = [word for part in (operator.cmds, operator.arguments) if isinstance(part, list | tuple) for word in part]
    return any(isinstance(word, str) and path in word for word in words)


def check_told(operator: TaskArguments) -> None:
    """
    Check the callbacks, and that they can be told what they want to hear.

    :param operator: as its author made it.
    :raises ValueError: when they cannot.
    """
    if operator.callbacks is None:
        return
    from airflow_armada.callbacks import check_callbacks

    wanted = check_callbacks(operator.callbacks)
    if not operator.wait_for_completion and (late := wanted - {"submitted"}):
        raise ValueError(f"callbacks: {sorted(late)[0]} needs wait_for_completion=True")
    if "line" in wanted and operator.deferrable:
        rule = "a deferred task's log is read in the triggerer, where no code of a DAG runs"
        raise ValueError(f"callbacks: line needs deferrable=False: {rule}")
    if "line" in wanted and not operator.get_logs:
        raise ValueError("callbacks: line needs get_logs")


def check_defaults() -> None:
    """
    Check the defaults of this deployment, which are known wherever a DAG file is parsed.

    :raises ValueError: when an option cannot be read.
    """
    try:
        configured_defaults()
    except SettingsError as error:
        raise ValueError(str(error)) from None


def check_operator(operator: TaskArguments) -> None:
    """
    Refuse what can never work, as early as a DAG file is parsed; what is not known yet is checked later.

    :param operator: as its author made it.
    :raises ValueError: with every problem.
    """
    checks: list[Callable[[], None]] = [
        lambda: check_reattach(operator.reattach),
        lambda: check_choice("resubmit_on", operator.resubmit_on, RESUBMIT_ON),
        lambda: check_count("preemption_retries", operator.preemption_retries),
        lambda: check_duration("queued_timeout", operator.queued_timeout),
        lambda: check_containers(operator.get_logs),
        lambda: check_exit_codes(operator.skip_on_exit_code),
        lambda: check_something_to_run({name: getattr(operator, name) for name in SOMETHING_TO_RUN}),
        lambda: check_text("armada_queue", operator.armada_queue, required=operator.armada_queue != ""),
        check_defaults,
        lambda: check_text("job_set_id", operator.job_set_id, required=False),
        lambda: check_text("armada_conn_id", operator.armada_conn_id),
        lambda: check_links(operator.link_templates),
        lambda: check_lookout(operator.lookout_url_template),
        lambda: check_result(operator),
        lambda: check_told(operator),
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
