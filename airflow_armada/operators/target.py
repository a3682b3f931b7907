"""Where a job goes and how it is waited for, out of the operator's arguments."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_armada.exceptions import ArmadaRefused
from airflow_armada.jobs.identity import default_job_set_id
from airflow_armada.operators.arguments import seconds
from airflow_armada.triggers.wait import JobWait

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.operators.armada import ArmadaOperator
    from airflow_armada.operators.attempt import Attempt, JobRecord

log = logging.getLogger("airflow.task.operators.airflow_armada")


@dataclass(frozen=True)
class Target:
    """
    Where a job goes, and what reading its log needs.

    :param queue: queue to submit to.
    :param job_set_id: job set to submit to.
    :param namespace: namespace of its pod.
    :param containers: names of its containers.
    """

    queue: str
    job_set_id: str
    namespace: str
    containers: tuple[str, ...]


def make_target(operator: ArmadaOperator, attempt: Attempt) -> Target:
    """
    Build the job once for what its request says about itself; one that is invalid fails here, before any call.

    :param operator: the operator, with its arguments rendered.
    :param attempt: the try.
    :return: where the job goes.
    :raises ArmadaRefused: when the arguments do not make a job that Armada would take.
    """
    from airflow_armada.jobs.build import main_pod_spec

    request = operator.build_request(attempt.identity())
    for note in request.notes:
        log.info("%s", note)
    job_set_id = operator.job_set_id or request.job_set_id or default_job_set_id(attempt.dag_id, attempt.run_id)
    queue = operator.armada_queue or request.queue
    _check(request.item, queue, job_set_id)
    containers = tuple(container.name for container in main_pod_spec(request.item).containers)
    return Target(queue, job_set_id, request.item.namespace, containers)


def _check(item: Any, queue: str, job_set_id: str) -> None:
    from airflow_armada.jobs.validation import check

    try:
        check(item, queue, job_set_id)
    except ValueError as error:
        raise ArmadaRefused(str(error)) from None


def make_wait(
    operator: ArmadaOperator, attempt: Attempt, settings: SiteSettings, target: Target, record: JobRecord
) -> JobWait:
    """
    Say how to wait for a job that was submitted.

    :param operator: the operator, with its arguments rendered.
    :param attempt: the try.
    :param settings: the site.
    :param target: where the job went.
    :param record: the job.
    :return: what a trigger needs to wait for it.
    """
    submitted_at = record.submitted_at or time.time()
    queued_timeout = seconds(operator.queued_timeout)
    left = record.resubmission < int(operator.preemption_retries)
    return JobWait(
        armada_conn_id=operator.armada_conn_id,
        queue=record.queue,
        job_set_id=record.job_set_id,
        job_id=record.job_id,
        submitted_at=submitted_at,
        job_url=settings.job_url(record.job_id),
        namespace=target.namespace,
        containers=target.containers,
        get_logs=operator.get_logs,
        get_result=operator.get_result and operator.wait_for_completion,
        cancel_on_kill=operator.cancel_on_kill,
        deadline=attempt.deadline(operator.execution_timeout),
        queued_deadline=submitted_at + queued_timeout if queued_timeout else None,
        resubmission=record.resubmission,
        resubmit_on=tuple(operator.resubmit_on) if left else (),
    )
