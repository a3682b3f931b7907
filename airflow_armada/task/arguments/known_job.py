"""
What is wrong with a job when its DAG file is parsed, as far as that can be known then.

What templates and other tasks will give is not known. It is replaced by values that no author writes, twice by
different ones: a problem that is there both times, word for word, has nothing to do with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from inspect import isfunction, signature
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_armada.task.arguments.checks import is_template
from airflow_armada.task.arguments.declared import JOB_ARGUMENTS
from airflow_armada.task.arguments.templates import template_problems

if TYPE_CHECKING:
    import jinja2

    from airflow_armada.jobs.checks.server_rules import ServerRules
    from airflow_armada.jobs.problems import Problem
    from airflow_armada.task.arguments.task_arguments import TaskArguments

_BASES = ("job_request", "pod_spec")
_FREESTANDING = frozenset(
    {"cmds", "arguments", "env_vars", "env_from", "container_resources", "node_selector", "tolerations", "affinity"}
    | {"security_context", "container_security_context", "labels", "image_pull_secrets"}
)
"""Arguments without which a job is as good as with them, so that the rest can be checked."""

_UNKNOWN = object()
_KNOWN = (bool, int, float, bytes, timedelta, set, frozenset, Iterator)
"""Types of values that nothing will replace by others, though some of them fit nowhere."""

StandIn = Callable[[], Any]


def known_problems(operator: TaskArguments, rules: ServerRules) -> list[Problem]:
    """
    Find what is wrong whatever the values turn out to be that are not known yet.

    :param operator: the operator as its author made it.
    :param rules: what the site accepts.
    :return: the problems.
    """
    given = {name: getattr(operator, name) for name in JOB_ARGUMENTS}
    templates = template_problems(operator)
    if shapes := list(_shape_problems(given)):
        return templates + shapes
    return templates + _value_problems(operator, given, rules)


def _value_problems(operator: TaskArguments, given: Mapping[str, Any], rules: ServerRules) -> list[Problem]:
    arguments = {name: _marked(value, name) for name, value in given.items()}
    logs = _log_names(operator.get_logs)
    check = partial(_problems, rules=rules, job_set_id=_known_text(operator.job_set_id), logs=logs)
    if not any(map(_has_unknown, arguments.values())):
        return check(arguments)[0]
    for name in _FREESTANDING:
        if arguments[name] is _UNKNOWN:
            arguments[name] = None
    readings = []
    for kind in (_texts, _numbers):
        found, complete = check(_filled(arguments, kind(990_001)))
        if complete:
            return _common(found, check(_filled(arguments, kind(880_001)))[0]) if found else []
        readings.append(found)
    return _common(_common(*readings), check(_filled(arguments, lambda: None))[0])


def _shape_problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Classes where objects are meant, and functions that cannot be called."""
    from airflow_armada.jobs.problems import Problem

    for name, value in given.items():
        if isinstance(value, type):
            yield Problem(name, value.__name__, "is a class where an object is expected", "make one of it")
        elif name in _BASES and isfunction(value) and not _takes_context(value):
            rule = "a function given here gets Airflow's context as its only argument"
            yield Problem(name, f"{value.__name__}{signature(value)}", rule, "let it take one argument")


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        signature(function).bind({})
    except TypeError:
        return False
    return True


def _marked(value: Any, name: str) -> Any:
    """Give the value as builtins, with what is not known as :data:`_UNKNOWN`."""
    from airflow_armada.jobs.kubernetes.models import is_message, to_plain

    if name in _BASES and is_message(value):
        return _UNKNOWN if is_template(str(value)) else value
    if name in _BASES and is_template_file(value):
        if Path(value).is_absolute() and not is_template(value) and not Path(value).is_file():
            from airflow_armada.jobs.problems import InvalidJob, Problem

            raise InvalidJob([Problem(name, repr(value), "there is no such file", "workers need it at the same path")])
        return _UNKNOWN
    return _mark(to_plain(value, name))


def is_template_file(value: Any) -> bool:
    """
    Tell whether a base names a template file.

    :param value: of ``pod_spec`` or ``job_request``.
    :return: true for the name of a YAML or JSON file.
    """
    return isinstance(value, str) and value.endswith((".yaml", ".yml", ".json")) and "\n" not in value


def template_source(path: str, env: jinja2.Environment) -> str | None:
    """
    Read a template file.

    :param path: its path, or its name in one of the folders in which Airflow looks for templates.
    :param env: knows those folders.
    :return: what it holds; None for a name where there are no such folders.
    """
    if Path(path).is_absolute():
        return Path(path).read_text(encoding="utf-8")
    return env.loader.get_source(env, path)[0] if env.loader is not None else None


def _mark(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _mark(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_mark(entry) for entry in value]
    if isinstance(value, str):
        return _UNKNOWN if is_template(value) else value
    known = value is None or isinstance(value, _KNOWN) or hasattr(value, "deploy_type")
    return value if known else _UNKNOWN


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    return any(map(_has_unknown, value)) if isinstance(value, list) else value is _UNKNOWN


def _filled(value: Any, stand_in: StandIn) -> Any:
    """Put a stand-in wherever a value is not known; where it gives None, the entry is left out."""
    if isinstance(value, dict):
        filled = {key: _filled(entry, stand_in) for key, entry in value.items()}
        return {key: entry for key, entry in filled.items() if entry is not None or value[key] is None}
    if isinstance(value, list):
        return [entry for entry in (_filled(one, stand_in) for one in value) if entry is not None]
    return stand_in() if value is _UNKNOWN else value


def _numbers(start: int) -> StandIn:
    return partial(next, count(start))


def _texts(start: int) -> StandIn:
    numbers = count(start)
    return lambda: str(next(numbers))


def _known_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value and not is_template(value) else None


def _log_names(get_logs: Any) -> list[str]:
    names = [get_logs] if isinstance(get_logs, str) else get_logs
    return list(names) if isinstance(names, list | tuple) else []


def _problems(
    arguments: Mapping[str, Any], rules: ServerRules, job_set_id: str | None, logs: list[str]
) -> tuple[list[Problem], bool]:
    """Give the problems, and whether the job could be read at all, so that its rules were checked."""
    from airflow_armada.jobs.build import build_request
    from airflow_armada.jobs.checks.check import container_problems, problems
    from airflow_armada.jobs.job_spec import JobSpec
    from airflow_armada.jobs.problems import InvalidJob

    try:
        item = build_request(JobSpec(**arguments)).item
    except InvalidJob as error:
        return list(error.problems), False
    return [*problems(item, None, job_set_id, rules), *container_problems(item, logs, "get_logs")], True


def _common(some: list[Problem], others: list[Problem]) -> list[Problem]:
    return [problem for problem in some if problem in others and not problem.of_whole]
