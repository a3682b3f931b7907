"""Where a job goes and how it is waited for, out of the task's arguments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_armada.exceptions import ArmadaRefused, refused_without_settings
from airflow_armada.hooks.job_defaults import job_defaults
from airflow_armada.task.arguments.checks import (
    RESUBMIT_ON,
    check_choice,
    check_count,
    check_duration,
    check_links,
    check_lookout,
    check_reattach,
)
from airflow_armada.task.request.job_request import Prepared, prepare, prepared_before
from airflow_armada.wait.result import check_log_service

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.tries.identity import JobIdentity

log = logging.getLogger("airflow.task.operators.airflow_armada")


@dataclass(frozen=True)
class Target:
    """
    Where a job goes, what is sent, and what reading its log needs.

    :param armada_conn_id: connection to submit by.
    :param queue: queue to submit to.
    :param job_set_id: job set to submit to.
    :param build: makes the request item for an identity.
    :param namespace: namespace of its pod.
    :param containers: names of the containers whose logs are read.
    :param shown: names of the containers whose logs are shown.
    :param result_container: name of the container that prints the result.
    :param memory_limits: of each container that has one, as ``name=2Gi``.
    """

    armada_conn_id: str
    queue: str
    job_set_id: str
    build: Callable[[JobIdentity], submit_pb2.JobSubmitRequestItem]
    namespace: str = "default"
    containers: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    result_container: str = ""
    memory_limits: tuple[str, ...] = ()


def make_target(operator: TaskArguments, identity: JobIdentity, settings: SiteSettings) -> Target:
    """
    Build the job, once for a segment; one that is invalid fails here, before any call.

    :param operator: the task's arguments, rendered.
    :param identity: identity of the job that would be submitted.
    :param settings: the site.
    :return: where the job goes.
    :raises ArmadaRefused: when the arguments do not make a job that Armada would take.
    """
    if operator.get_result:
        check_log_service(settings, operator.armada_conn_id)
    _check_rendered(operator)
    prepared = prepared_before(operator, identity) or _prepare(operator, identity, settings)
    shown = _shown_containers(operator.get_logs, prepared)
    operator.show_job(prepared.show())
    for note in prepared.request.notes:
        log.info("%s", note)

    def build(wanted: JobIdentity) -> submit_pb2.JobSubmitRequestItem:
        return (prepared.request if wanted == identity else operator.build_request(wanted)).item

    printing = _result_container(operator.get_result, prepared)
    return Target(
        armada_conn_id=operator.armada_conn_id,
        queue=prepared.queue,
        job_set_id=prepared.job_set_id,
        build=build,
        namespace=prepared.request.item.namespace,
        containers=tuple(dict.fromkeys((*shown, printing))) if printing else shown,
        shown=shown,
        result_container=printing,
        memory_limits=_memory_limits(prepared),
    )


def _prepare(operator: TaskArguments, identity: JobIdentity, settings: SiteSettings) -> Prepared:
    with refused_without_settings(operator.armada_conn_id):
        defaults = job_defaults(settings)
    return prepare(operator, identity, defaults)


def _check_rendered(operator: TaskArguments) -> None:
    """Check what may have been a template while the DAG file was parsed."""
    try:
        check_duration("queued_timeout", operator.queued_timeout)
        check_count("preemption_retries", operator.preemption_retries)
        check_reattach(operator.reattach)
        check_choice("resubmit_on", operator.resubmit_on, RESUBMIT_ON)
        check_links(operator.link_templates)
        check_lookout(operator.lookout_url_template)
    except ValueError as error:
        raise ArmadaRefused(str(error)) from None


def _containers(prepared: Prepared, *, init: bool = False) -> tuple[str, ...]:
    from airflow_armada.jobs.build import main_pod_spec

    pod = main_pod_spec(prepared.request.item)
    return tuple(container.name for container in (pod.initContainers if init else pod.containers))


def _memory_limits(prepared: Prepared) -> tuple[str, ...]:
    from airflow_armada.jobs.build import main_pod_spec

    pod = main_pod_spec(prepared.request.item)
    limits = {one.name: one.resources.limits for one in (*pod.initContainers, *pod.containers)}
    return tuple(f"{name}={of['memory'].string}" for name, of in limits.items() if "memory" in of)


def _shown_containers(get_logs: bool | str | Sequence[str], prepared: Prepared) -> tuple[str, ...]:
    """Give the containers whose logs are shown; init containers only if they are named."""
    from airflow_armada.jobs.checks.check import container_problems

    if isinstance(get_logs, bool):
        return _containers(prepared) if get_logs else ()
    names = texts(get_logs)
    if found := container_problems(prepared.request.item, names, "get_logs"):
        raise ArmadaRefused("; ".join(map(str, found)))
    return names


def _result_container(get_result: bool | str, prepared: Prepared) -> str:
    """Give the container that prints the result, or an empty text where nobody wants one."""
    from airflow_armada.jobs.checks.check import container_problems

    if isinstance(get_result, bool):
        return prepared.request.container if get_result else ""
    if found := container_problems(prepared.request.item, (get_result,), "get_result"):
        raise ArmadaRefused("; ".join(map(str, found)))
    return get_result


def texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Give one text or several as several."""
    return (value,) if isinstance(value, str) else tuple(value)
