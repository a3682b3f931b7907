"""The operator's arguments as a job request, checked and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import is_sensitive_name
from airflow_armada.exceptions import ArmadaRefused
from airflow_armada.hooks.site_rules import site_rules
from airflow_armada.task.arguments.declared import JOB_ARGUMENTS
from airflow_armada.tries.identity import default_job_set_id
from airflow_armada.tries.task_facts import identity_arguments

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2
    from airflow_armada.client.job_defaults import JobDefaults
    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.tries.identity import JobIdentity

_NO_QUEUE = (
    "no queue to submit to: give armada_queue, or queue in job_request, or default_queue in connection {!r} or in "
    "[armada] of Airflow's configuration"
)
_LONGEST_SHOWN = 1000  # characters of a variable; @task.armada carries its function in one


@dataclass(frozen=True)
class Prepared:
    """
    A request that passed every check, and where it goes.

    :param identity: the identity of the job.
    :param request: the request.
    :param queue: its queue.
    :param job_set_id: its job set.
    """

    identity: JobIdentity
    request: JobRequest
    queue: str
    job_set_id: str

    def show(self) -> str:
        """
        Write the request as a person may see it.

        :return: an armadactl submit file; variables with telling names, such as ``PASSWORD``, show no value.
        """
        from airflow_armada.jobs.render import render

        return render(_without_secrets(self.request.item), self.queue, self.job_set_id)


def build_request(operator: TaskArguments, identity: JobIdentity, context: Mapping[str, Any] | None) -> JobRequest:
    """
    Build the request for a job.

    :param operator: the operator, with its arguments rendered.
    :param identity: identity of the job.
    :param context: Airflow's context, as far as there is one.
    :return: the request.
    :raises ArmadaRefused: when the arguments do not make a job.
    """
    from airflow_armada.jobs.build import build_request, gather_gang_again
    from airflow_armada.jobs.job_spec import JobSpec

    arguments = {name: getattr(operator, name) for name in JOB_ARGUMENTS}
    try:
        request = build_request(
            JobSpec(
                **arguments,
                **identity_arguments(identity, context or {}, get_result=bool(operator.get_result)),
                defaults=operator.job_defaults,
            )
        )
    except ValueError as error:
        raise ArmadaRefused(f"{error}") from None
    gather_gang_again(request.item, identity.resubmission)
    return request


def prepare(operator: TaskArguments, identity: JobIdentity, defaults: JobDefaults) -> Prepared:
    """
    Build the request for a job and check it.

    :param operator: the operator, with its arguments rendered.
    :param identity: identity of the job.
    :param defaults: count where the arguments say nothing.
    :return: the request and where it goes.
    :raises ArmadaRefused: when the arguments do not make a job that Armada would take; the text has every problem.
    """
    from airflow_armada.jobs.checks.check import check, warnings

    operator.job_defaults = defaults
    request = operator.build_request(identity)
    # Native rendering makes numbers of digits.
    job_set_id = str(operator.job_set_id or request.job_set_id or default_job_set_id(identity.dag_id, identity.run_id))
    queue = str(operator.armada_queue or request.queue or defaults.queue)
    if not queue:
        raise ArmadaRefused(_NO_QUEUE.format(operator.armada_conn_id))
    try:
        rules = site_rules(operator.armada_conn_id)
        check(request.item, queue, job_set_id, rules)
    except ValueError as error:
        raise ArmadaRefused(str(error)) from None
    request.notes.extend(warnings(request.item, rules))
    return Prepared(identity, request, queue, job_set_id)


def prepared_before(operator: TaskArguments, identity: JobIdentity) -> Prepared | None:
    """
    Give the request that was made when the arguments were rendered, to show it.

    :param operator: the operator.
    :param identity: identity of the job.
    :return: the request; None where there is none, or an author's own code may have changed something since then.
    """
    prepared = operator.prepared
    changed = operator.changes("execute", "pre_execute") or operator._pre_execute_hook is not None
    if changed or not isinstance(prepared, Prepared) or prepared.identity != identity:
        return None
    return prepared


def _without_secrets(item: submit_pb2.JobSubmitRequestItem) -> submit_pb2.JobSubmitRequestItem:
    from airflow_armada.jobs.build import main_pod_spec

    shown = type(item).FromString(item.SerializeToString())
    pod = main_pod_spec(shown)
    for container in (*pod.containers, *pod.initContainers):
        for variable in container.env:
            if variable.value and is_sensitive_name(variable.name):
                variable.value = "***"
            elif len(variable.value) > _LONGEST_SHOWN:
                variable.value = f"({len(variable.value)} characters)"
    return shown
