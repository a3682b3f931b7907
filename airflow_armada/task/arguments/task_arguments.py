"""All arguments of a task, whatever their operator makes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_armada._compat import default_deferrable
from airflow_armada.client.job_defaults import NO_DEFAULTS
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.task.arguments.checks import RUNNING_OR_SUCCEEDED
from airflow_armada.task.arguments.declared import JobArguments
from airflow_armada.task.arguments.spelling import check_names

if TYPE_CHECKING:
    from airflow_armada.client.typings import JobState
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

    :param armada_queue: queue to submit to; may be left out where ``job_request`` names one, or where the connection or
        ``[armada]`` has a ``default_queue``.
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
    :param reattach: which job of the try before a retry takes over: ``never``, ``running``,
        ``running_or_succeeded``, or ``always``, also one that has failed; or a function that gets the job's state and
        the reason of its end, and says so. A cleared task always runs anew.
    :param queued_timeout: how long the job may wait for its start, in seconds or as a ``timedelta``.
    :param extra_links: further links of the task in Airflow's UI, by name: addresses in which ``{job_id}``,
        ``{queue}``, ``{job_set_id}``, ``{namespace}``, ``{cluster}``, ``{node}``, ``{pod}`` and ``{run_id}`` stand for
        facts about the job.
    :param lookout_url_template: address of the job's page with ``{job_id}`` in it; by default the connection's Lookout.
    :param callbacks: told of the job, on the worker: one or several
        :class:`~airflow_armada.callbacks.JobCallbacks`.
    :param skip_on_exit_code: exit code, or codes, with which a job that failed skips its task instead of failing it.
    :param armada_compat_xcom: also leave the XComs of the published operator, and its keys in the return value.
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
        "link_templates",
        "lookout_url_template",
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
        reattach: str | Callable[[JobState, str], bool] = RUNNING_OR_SUCCEEDED,
        queued_timeout: float | timedelta | str | None = None,
        extra_links: Mapping[str, str] | None = None,
        lookout_url_template: str | None = None,
        callbacks: Any = None,
        skip_on_exit_code: int | Collection[int] | None = None,
        armada_compat_xcom: bool = False,
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
        self.link_templates = extra_links  # "extra_links" of a stored task are Airflow's own
        self.lookout_url_template = lookout_url_template
        self.callbacks = callbacks
        self.skip_on_exit_code = skip_on_exit_code
        self.armada_compat_xcom = armada_compat_xcom
        self.end_from_trigger = end_from_trigger
        self.rendered_job = ""
        self.job_url = ""
        self.link_urls: Mapping[str, str] = {}
        self.prepared: object = None
        self.job_defaults = NO_DEFAULTS

    @classmethod
    def changes(cls, *names: str) -> bool:
        """
        Tell whether an author's own class runs code of its own in some methods.

        :param names: the methods.
        :return: false where all of them are this package's or Airflow's.
        """
        # The arguments alone, of which a mapped task is checked, have none of an operator's methods.
        definers = [next((base for base in cls.__mro__ if name in vars(base)), TaskArguments) for name in names]
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
