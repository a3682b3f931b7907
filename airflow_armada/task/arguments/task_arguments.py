"""All arguments of a task, whatever their operator makes of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_armada._compat import default_deferrable
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.task.arguments.checks import RUNNING_OR_SUCCEEDED
from airflow_armada.task.arguments.declared import JobArguments
from airflow_armada.task.arguments.spelling import check_names

if TYPE_CHECKING:
    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.tries.identity import JobIdentity


class TaskArguments(JobArguments):
    """
    What to run, where, and how to wait for it: what the helpers of a task know of its operator.

    The job is given by the short form (``image`` and so on), by ``pod_spec`` or by ``job_request``; the short form is
    laid over the other two. Its arguments are described where they are declared:
    :class:`~airflow_armada.task.arguments.declared.ContainerArguments`,
    :class:`~airflow_armada.task.arguments.declared.PodArguments` and
    :class:`~airflow_armada.task.arguments.declared.JobArguments`.

    :param armada_queue: queue to submit to; may be left out where ``job_request`` names one.
    :param job_set_id: job set; by default all tasks of a DAG run share ``<dag_id>.<run_id>``, and one event stream.
    :param armada_conn_id: Airflow connection of type ``armada``.
    :param deferrable: free the worker while the job runs; by default true, unless the environment variable
        ``AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE`` says otherwise.
    :param get_logs: show the job's log in the task log: of all its containers, or of those that are named.
    :param get_result: return the value that the job prints on its log as ``::armada-result::<JSON>``, instead of the
        facts about the job; a job that prints none then fails its task. The name of a container, if it is not the
        main one that prints it.
    :param dry_run: check the job and show the request as it would be sent, and submit nothing.
    :param preemption_retries: how often to submit the job again, within the try, after an end listed in
        ``resubmit_on``.
    :param resubmit_on: ends of which the job is innocent: ``preempted``, ``evicted``, ``lease_expired``.
    :param cancel_on_kill: cancel the job when the task is killed, cleared or marked.
    :param wait_for_completion: wait for the end of the job; otherwise the task succeeds once it is submitted.
    :param reattach: what a retry does with the job of the try before: ``never``, ``running`` or
        ``running_or_succeeded`` says which ones it takes over. A cleared task always runs anew.
    :param queued_timeout: how long the job may wait for its start, in seconds or as a ``timedelta``.
    :param skip_on_exit_code: exit code, or codes, with which a job that failed skips its task instead of failing it.
    :param end_from_trigger: end the task in the triggerer when its job has succeeded and nothing of its log is missing,
        which spares the second worker; refused where something would be lost by it.
    """

    template_fields: Sequence[str] = (
        "armada_queue",
        *JobArguments.template_fields,
        "job_set_id",
        "armada_conn_id",
        "queued_timeout",
        "preemption_retries",
        "resubmit_on",
        "reattach",
        "rendered_job",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "env_vars": "json",
        "container_resources": "json",
        "pod_spec": "yaml",
        "job_request": "yaml",
        "rendered_job": "yaml",
    }

    def __init__(
        self,
        *,
        armada_queue: str = "",
        job_set_id: str = "",
        armada_conn_id: str = ArmadaHook.default_conn_name,
        deferrable: bool | None = None,
        get_logs: bool | str | Sequence[str] = True,
        get_result: bool | str = False,
        dry_run: bool = False,
        preemption_retries: int = 0,
        resubmit_on: Sequence[str] = ("preempted",),
        cancel_on_kill: bool = True,
        wait_for_completion: bool = True,
        reattach: str = RUNNING_OR_SUCCEEDED,
        queued_timeout: float | timedelta | str | None = None,
        skip_on_exit_code: int | Collection[int] | None = None,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        check_names(type(self), kwargs)
        super().__init__(**kwargs)
        self.armada_queue = armada_queue
        self.job_set_id = job_set_id
        self.armada_conn_id = armada_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.get_logs = get_logs
        self.get_result = get_result
        self.only_dry_run = dry_run
        self.preemption_retries = preemption_retries
        self.resubmit_on = resubmit_on
        self.cancel_on_kill = cancel_on_kill
        self.wait_for_completion = wait_for_completion
        self.reattach = reattach
        self.queued_timeout = queued_timeout
        self.skip_on_exit_code = skip_on_exit_code
        self.end_from_trigger = end_from_trigger
        self.rendered_job = ""
        self.job_url = ""
        self.prepared: object = None

    @classmethod
    def changes(cls, *names: str) -> bool:
        """
        Tell whether an author's own class runs code of its own in some methods.

        :param names: the methods.
        :return: false where all of them are this package's or Airflow's.
        """
        definers = [next(base for base in cls.__mro__ if name in vars(base)) for name in names]
        return any(base.__module__.partition(".")[0] not in ("airflow", "airflow_armada") for base in definers)

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job.
        """
        raise NotImplementedError

    def show_job(self, text: str) -> None:
        """
        Show a job among the rendered templates; once Airflow has stored those, it does so again after this segment.

        :param text: the job.
        """
        if text != self.rendered_job:
            self.rendered_job, self.overwrite_rtif_after_execution = text, True
