"""Templates that can never be rendered, found when a DAG file is parsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_armada.task.arguments.checks import is_template

if TYPE_CHECKING:
    import jinja2

    from airflow_armada.jobs.problems import Problem
    from airflow_armada.task.arguments.task_arguments import TaskArguments


def template_problems(operator: TaskArguments) -> list[Problem]:
    """
    Find templates whose syntax is wrong.

    :param operator: as its author made it.
    :return: the problems, with the path of each.
    """
    from jinja2 import TemplateSyntaxError

    from airflow_armada.jobs.problems import Problem

    found = []
    for name in operator.template_fields:
        for path, text in _texts(getattr(operator, name, None), name):
            try:
                _check(text, operator)
            except TemplateSyntaxError as error:
                line = f" in line {error.lineno}" if "\n" in text else ""
                hint = "close every {{ and {%, and write {{ '{{' }} for braces that are no template"
                found.append(Problem(path, "", f"not a valid template{line}: {error.message}", hint))
    return found


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give the templates in a value of builtins, with their paths."""
    if isinstance(value, str):
        if is_template(value):
            yield path, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(entry, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _texts(entry, f"{path}[{index}]")


def _check(text: str, operator: TaskArguments) -> None:
    """Parse with Jinja's own syntax first, which is quick, and with that of the DAG where this fails."""
    from jinja2 import TemplateSyntaxError

    try:
        _plain_environment().parse(text)
    except TemplateSyntaxError:
        if not operator.has_dag():  # type: ignore[no-untyped-call]
            raise
        operator.get_template_env().parse(text)


@cache
def _plain_environment() -> jinja2.Environment:
    from jinja2 import Environment

    return Environment(autoescape=False)
