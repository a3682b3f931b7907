"""The request as it would be sent, without a server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.hooks.job_defaults import configured_defaults, job_defaults
from airflow_armada.task.arguments.checks import is_template
from airflow_armada.task.arguments.declared import JOB_ARGUMENTS
from airflow_armada.task.arguments.known_job import is_template_file, template_source
from airflow_armada.task.check_task import check_operator
from airflow_armada.task.request.job_request import Prepared, build_request, prepare
from airflow_armada.tries.attempt import Attempt
from airflow_armada.tries.identity import JobIdentity

if TYPE_CHECKING:
    from airflow_armada.client.job_defaults import JobDefaults
    from airflow_armada.task.arguments.task_arguments import TaskArguments

log = logging.getLogger("airflow.task.operators.airflow_armada")


def show(operator: TaskArguments, context: Mapping[str, Any] | None) -> str:
    """
    Build a job and check it.

    :param operator: the operator; without a context its templates are what their author wrote.
    :param context: Airflow's context, if there is one.
    :return: the request as an armadactl submit file.
    :raises ArmadaRefused: with every problem.
    :raises ValueError: likewise, without a context.
    """
    if context is None:
        prepared = _unrendered(operator)
    else:
        prepared = prepare(operator, _identity(operator, context), _defaults(operator))
    notes = "".join(f"# {note}\n" for note in prepared.request.notes)
    return notes + prepared.show()


def _identity(operator: TaskArguments, context: Mapping[str, Any]) -> JobIdentity:
    return Attempt.of(context, operator.retries or 0).identity()


def _defaults(operator: TaskArguments) -> JobDefaults:
    """Give the defaults as far as they are known: a dry run needs no connection."""
    try:
        return job_defaults(ArmadaHook(operator.armada_conn_id).settings())
    except Exception as error:
        log.info("The defaults of connection %r are not known here: %s", operator.armada_conn_id, error)
        return configured_defaults()


def _unrendered(operator: TaskArguments) -> Prepared:
    """Check what can be known now, and put the rest into the request as it was written."""
    identity = JobIdentity(operator.dag_id, "dry_run", operator.task_id, -1, 1)
    shown, notes = copy(operator), []
    shown.job_defaults = configured_defaults()
    for name in ("job_request", "pod_spec"):
        setattr(shown, name, _read_file(name, getattr(operator, name), operator))
    check_operator(shown)
    for name in JOB_ARGUMENTS:
        value = getattr(shown, name)
        if not _can_be_read(name, value):
            value = None
            notes.append(f"{name} is known only in a run, and left out here")
        setattr(shown, name, value)
    try:
        request = shown.build_request(identity)
    except Exception as error:  # what a function of the author's does without a run
        request = build_request(shown, identity, None)
        why = " ".join(str(error).split())
        notes.append(f"what the function makes of the job is known only in a run: {why}")
    request.notes[:0] = notes
    queue = str(operator.armada_queue or request.queue or shown.job_defaults.queue)
    if not queue:
        request.notes.append("the queue is known only in a run: default_queue of the connection")
    return Prepared(identity, request, queue, str(operator.job_set_id or request.job_set_id))


def _read_file(name: str, value: Any, operator: TaskArguments) -> Any:
    """Give what a template file holds, as builtins where its templates do not stand in the way of reading it."""
    if not is_template_file(value) or is_template(value):
        return value
    from jinja2 import TemplateNotFound

    from airflow_armada.jobs.kubernetes.yaml_text import load_documents
    from airflow_armada.jobs.problems import InvalidJob

    try:
        source = template_source(value, operator.get_template_env())
    except (TemplateNotFound, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"task {operator.task_id!r}: {name}: the template file {value!r} cannot be read: {error}"
        ) from None
    if source is None:
        return value
    try:
        documents = load_documents(source, name)
    except InvalidJob:
        return source
    return documents[0] if len(documents) == 1 and isinstance(documents[0], Mapping) else source


def _can_be_read(name: str, value: Any) -> bool:
    from airflow_armada.jobs.build import build
    from airflow_armada.jobs.problems import InvalidJob

    try:
        build(**{name: value})
    except InvalidJob:
        return False
    return True


def run(operator: TaskArguments, context: Mapping[str, Any]) -> dict[str, Any]:
    """
    Stand in for a run of the job.

    :param operator: the operator, with its arguments rendered.
    :param context: Airflow's context.
    :return: the request, as the task's return value.
    :raises ArmadaRefused: with every problem.
    """
    text = show(operator, context)
    operator.show_job(text)
    log.info("Dry run: this is what would be submitted\n%s", text)
    return {"dry_run": True, "request": text}
