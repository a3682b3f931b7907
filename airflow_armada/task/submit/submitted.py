"""The job that a try has got, and how it is waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_armada.links.templates import fill
from airflow_armada.task.arguments.checks import seconds
from airflow_armada.task.request.target import texts
from airflow_armada.wait.job_wait import JobWait

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.task.request.target import Target
    from airflow_armada.task.submit.record import JobRecord
    from airflow_armada.tries.attempt import Attempt


@dataclass(frozen=True)
class Submitted:
    """
    The job of this try.

    :param record: what is known of it.
    :param adopted: whether an earlier try submitted it.
    """

    record: JobRecord
    adopted: bool = False


def make_wait(
    operator: TaskArguments, attempt: Attempt, settings: SiteSettings, target: Target, submitted: Submitted
) -> JobWait:
    """
    Say how to wait for a job that was submitted.

    :param operator: the task's arguments, rendered.
    :param attempt: the try.
    :param settings: the site that has the job.
    :param target: where a job of this try goes.
    :param submitted: the job.
    :return: what a trigger needs to wait for it.
    """
    record = submitted.record
    submitted_at = record.submitted_at or time.time()
    queued_timeout = seconds(operator.queued_timeout)
    # What an earlier try has used up is not this one's.
    spent = 0 if submitted.adopted else record.spent
    return JobWait(
        armada_conn_id=record.armada_conn_id or target.armada_conn_id,
        job=record.job,
        submitted_at=submitted_at,
        job_url=_job_url(operator, settings, record.job_id),
        namespace=target.namespace,
        containers=target.containers,
        get_logs=bool(operator.get_logs),
        shown=target.shown if operator.get_result else (),
        get_result=bool(operator.get_result),
        result_container=target.result_container,
        result_nonce=attempt.identity().result_nonce if operator.get_result else "",
        cancel_on_kill=operator.cancel_on_kill,
        deadline=attempt.deadline(operator.execution_timeout),
        queued_deadline=submitted_at + queued_timeout if queued_timeout else None,
        resubmission=record.resubmission,
        spent=spent,
        client_id=record.client_id,
        resubmit_on=texts(operator.resubmit_on) if spent < int(operator.preemption_retries) else (),
        adopted=submitted.adopted,
        memory_limits=target.memory_limits,
    )


def _job_url(operator: TaskArguments, settings: SiteSettings, job_id: str) -> str:
    template = operator.lookout_url_template
    return fill(template, {"job_id": job_id}) if template else settings.job_url(job_id)
