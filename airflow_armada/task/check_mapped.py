"""
What can never work of a mapped task is refused when its DAG file is parsed, as far as it is known then.

A task for each value is made up of what is known; what other tasks will give is taken for a template, which may turn
out to be anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_armada._compat import runs_task
from airflow_armada.task.arguments.spelling import known_arguments
from airflow_armada.task.arguments.task_arguments import TaskArguments
from airflow_armada.task.check_task import SOMETHING_TO_RUN, check_operator

_UNKNOWN = "{{ mapped }}"
_MOST_VALUES = 50  # a value costs about a millisecond
_TEMPLATED = frozenset(TaskArguments.template_fields)
_OWN = known_arguments(TaskArguments) - {"self", "kwargs", "dag", "task_group", "default_args", "params"}


def check_expansion(partial: Mapping[str, Any], mapped: Any) -> None:
    """
    Check the tasks that values are mapped to.

    :param partial: what all of them have.
    :param mapped: what ``expand()`` got, lists by name; or ``expand_kwargs()``, a list of arguments.
    :raises ValueError: naming the first value that can never work, with every problem of it.
    """
    if runs_task():
        return
    for where, values in _tasks(mapped):
        arguments = {**partial, **values}
        if _has_unknown_switch(arguments):
            continue
        # What is not even named yet may come with the values of another task.
        if where == "" and not any(arguments.get(name) for name in SOMETHING_TO_RUN):
            arguments["job_request"] = _UNKNOWN
        try:
            check_operator(TaskArguments(**_known(arguments), _airflow_from_mapped=True))
        except ValueError as error:
            raise ValueError(f"{error}{where and f' ({where})'}") from None


def _tasks(mapped: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the arguments of the tasks that are known, and where they stand."""
    if isinstance(mapped, Mapping):
        unknown = dict.fromkeys(mapped, _UNKNOWN)
        known = {name: values for name, values in mapped.items() if isinstance(values, list | tuple)}
        if not known:
            yield "", unknown
        for name, values in known.items():
            for index, value in enumerate(values[:_MOST_VALUES]):
                yield f"value {index} of {name} in expand()", {**unknown, name: value}
    elif isinstance(mapped, list | tuple):
        for index, values in enumerate(mapped[:_MOST_VALUES]):
            yield f"item {index} of expand_kwargs()", dict(values) if isinstance(values, Mapping) else {}
    else:
        yield "", {}


def _has_unknown_switch(arguments: Mapping[str, Any]) -> bool:
    """Tell whether something without templates is not known, such as ``get_result``: others may depend on it."""
    from airflow.sdk import XComArg

    return any(
        isinstance(value, XComArg) or (isinstance(value, str) and value == _UNKNOWN)
        for name, value in arguments.items()
        if name in _OWN - _TEMPLATED
    )


def _known(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Put a template for what is not known, and leave out what only a subclass knows."""
    from airflow.sdk import XComArg

    found = {name: _UNKNOWN if isinstance(value, XComArg) else value for name, value in arguments.items()}
    return {name: value for name, value in found.items() if name in _OWN}
