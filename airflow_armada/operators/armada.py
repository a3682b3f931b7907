"""The operator: one task is one Armada job."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_armada._compat import (
    TaskDeferralError,
    TaskDeferralTimeout,
    default_deferrable,
    is_resumed,
)
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.links.armada import LookoutLink, hide_link
from airflow_armada.task.arguments.checks import RUNNING_OR_SUCCEEDED, check_operator
from airflow_armada.task.arguments.declared import JOB_ARGUMENTS, JobArguments
from airflow_armada.task.arguments.forms import resolve
from airflow_armada.task.arguments.spelling import check_names

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.task.request.identity import JobIdentity
    from airflow_armada.task.segment import JobRun


class ArmadaOperator(JobArguments):
    """
    Run a job on Armada and wait for its end.

    The job is given by the short form (``image`` and so on), by ``pod_spec`` or by ``job_request``; the short form is
    laid over the other two. Its arguments are described where they are declared:
    :class:`~airflow_armada.task.arguments.declared.ContainerArguments`,
    :class:`~airflow_armada.task.arguments.declared.PodArguments` and
    :class:`~airflow_armada.task.arguments.declared.JobArguments`.

    :param armada_queue: queue to submit to; may be left out where ``job_request`` names one.
    :param job_set_id: job set; by default all tasks of a DAG run share ``<dag_id>.<run_id>``, and one event stream.
    :param armada_conn_id: Airflow connection of type ``armada``.
    :param deferrable: free the worker while the job runs; by default what ``[operators] default_deferrable`` says, and
        true if nobody has set it.
    :param get_logs: show the job's log in the task log: of all its containers, or of those that are named.
    :param get_result: return the value that the job prints on its log as ``::armada-result::<JSON>``, instead of the
        facts about the job; a job that prints none then fails its task.
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
        "rendered_job",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "env_vars": "json",
        "container_resources": "json",
        "pod_spec": "yaml",
        "job_request": "yaml",
        "rendered_job": "yaml",
    }
    operator_extra_links = (LookoutLink(),)
    overwrite_rtif_after_execution = True
    ui_color = "#dfe9f5"

    def __init__(
        self,
        *,
        armada_queue: str = "",
        job_set_id: str = "",
        armada_conn_id: str = ArmadaHook.default_conn_name,
        deferrable: bool | None = None,
        get_logs: bool | str | Sequence[str] = True,
        get_result: bool = False,
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
        self._context: Mapping[str, Any] | None = None
        self._run: JobRun | None = None
        self._killed = False
        check_operator(self)

    def execute(self, context: Context) -> Any:
        """
        Submit the job and wait for it.

        :param context: Airflow's context.
        :return: the facts about the job.
        """
        if self.only_dry_run:
            from airflow_armada.task.request.dry_run import run

            return run(self, context)
        return self._begin(context).start()

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Go on after the trigger has seen the end of the job.

        :param context: Airflow's context.
        :param event: the trigger's event.
        :return: the facts about the job.
        """
        return self._begin(context).resume(event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume; a deferral that Airflow itself ended calls no other method, and would leave the job to itself."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self._begin(context).abandon(timed_out=isinstance(error, TaskDeferralTimeout))
            raise

    def on_kill(self) -> None:
        """Cancel the job, unless ``cancel_on_kill`` is false; Airflow calls this while the task is on a worker."""
        if self._run is not None:
            self._run.kill()
        else:
            self._killed = True

    def dry_run(self) -> None:
        """Check the job and print the request as it would be sent; ``airflow tasks test --dry-run`` calls this."""
        from airflow_armada.task.request.dry_run import show

        print(show(self, self._context))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Name the job to OpenLineage, whose provider calls this at the end of a task, good or bad.

        :param task_instance: Airflow's task instance.
        :return: an ``OperatorLineage``, or None when there was no job.
        """
        from airflow_armada.task.end.lineage import job_lineage

        return job_lineage(self._run.job_id if self._run else "")

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job; override it to change what is submitted. It is called more than once.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job.
        """
        from airflow_armada.task.request.job_request import build_request

        return build_request(self, identity, self._context)

    def show_job(self, text: str) -> None:
        """
        Show a job among the rendered templates; once Airflow has stored those, it does so again after this segment.

        :param text: the job.
        """
        if text != self.rendered_job:
            self.rendered_job, self.overwrite_rtif_after_execution = text, True

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """
        Render the arguments; of a mapped task, Airflow calls no other method than this.

        Only ``pod_spec`` and ``job_request`` may name a file; with ``template_ext`` an argument such as
        ``--config=run.yaml`` would be taken for one, too.
        """
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        self._context = context
        for name in JOB_ARGUMENTS:
            setattr(self, name, resolve(name, getattr(self, name), context, jinja_env))
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        hide_link(self)
        if is_resumed(context["ti"]):
            # What Airflow has stored of the first segment is kept: with the rendered job, which only that one makes.
            self.template_fields = ()
        else:
            self._show_early(context)

    def _show_early(self, context: Context) -> None:
        """Put the job among the rendered templates before Airflow stores them, to spare it storing them twice."""
        from airflow_armada.task.request.attempt import Attempt
        from airflow_armada.task.request.job_request import prepare

        self.overwrite_rtif_after_execution = False
        with suppress(Exception):  # is raised again by execute(), where it fails the task
            self.rendered_job = prepare(self, Attempt.of(context, self.retries or 0).identity()).show()

    def _begin(self, context: Context) -> JobRun:
        from airflow_armada.task.segment import JobRun

        self._context = context
        self._run = JobRun(self, context)
        if self._killed:  # before there was a run to tell
            self._run.kill()
        return self._run
