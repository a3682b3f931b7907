"""Arguments that are not plain data, made plain before Airflow renders the templates in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_armada.task.arguments.checks import is_template
from airflow_armada.task.arguments.known_job import is_template_file, template_source

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

_BASES = ("job_request", "pod_spec")


def resolve(name: str, value: Any, context: Context, env: jinja2.Environment) -> Any:
    """
    Make an argument something that Airflow can render.

    :param name: of the argument.
    :param value: of the argument.
    :param context: Airflow's context, for a base that is a function.
    :param env: environment that finds template files, for a base that names one.
    :return: what a function returned, what a file holds, models and messages as builtins; else the value.
    """
    if name in _BASES:
        if callable(value):
            value = value(context)
        if is_template_file(value) and (source := template_source(value, env)) is not None:
            return source
    return value if _is_plain(value) else _plain(name, value)


def _is_plain(value: Any) -> bool:
    """Tell whether Airflow can render a value as it is."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int | float)


def _plain(name: str, value: Any) -> Any:
    from airflow_armada.jobs.kubernetes.models import is_message, to_plain
    from airflow_armada.jobs.problems import InvalidJob

    if is_message(value):
        return _message(name, value) if is_template(str(value)) else value
    try:
        return to_plain(value, name)
    except InvalidJob:
        return value  # is reported with all other problems when the job is built


def _message(name: str, value: Any) -> Any:
    """Give a message that holds templates as builtins; a job without a pod still has to look like a job."""
    from airflow_armada.jobs.kubernetes.models import to_plain

    plain = to_plain(value, name)
    if value.DESCRIPTOR.name == "JobSubmitRequestItem" and "podSpecs" not in plain:
        plain.setdefault("podSpec", {})
    return plain
