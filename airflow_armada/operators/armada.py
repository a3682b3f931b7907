"""The operator: one task is one Armada job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

from airflow_armada._compat import TaskDeferralError, TaskDeferralTimeout, is_resumed
from airflow_armada.exceptions import ArmadaJobError
from airflow_armada.links.armada import LookoutLink, hide_links, named_links
from airflow_armada.task.arguments.declared import JOB_ARGUMENTS
from airflow_armada.task.arguments.forms import resolve
from airflow_armada.task.arguments.native import render_typed
from airflow_armada.task.arguments.spelling import check_names
from airflow_armada.task.arguments.task_arguments import TaskArguments
from airflow_armada.task.arguments.typed import OperatorArguments
from airflow_armada.task.check_task import check_operator
from airflow_armada.task.kill import Kill

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseOperatorLink, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.task.segment import Segment
    from airflow_armada.tries.identity import JobIdentity


class ArmadaOperator(TaskArguments):
    """
    Run a job on Armada and wait for its end.

    Its arguments are described where they are declared:
    :class:`~airflow_armada.task.arguments.task_arguments.TaskArguments`,
    :class:`~airflow_armada.task.arguments.declared.ContainerArguments`,
    :class:`~airflow_armada.task.arguments.declared.PodArguments` and
    :class:`~airflow_armada.task.arguments.declared.JobArguments`.

    :param arguments: by name; editors and type checkers know them all.
    """

    operator_extra_links: tuple[BaseOperatorLink, ...] = (LookoutLink(),)
    overwrite_rtif_after_execution = True
    ui_color = "#dfe9f5"
    _context: Mapping[str, Any] | None = None
    _segment: Segment | None = None

    def __init__(self, **arguments: Unpack[OperatorArguments]) -> None:
        given: Any = arguments  # what templates and other tasks give has other types once it is rendered
        super().__init__(**given)
        check_operator(self)
        if named := named_links(self.link_templates):
            self.operator_extra_links = (*self.operator_extra_links, *named)

    @classmethod
    def partial(cls, **arguments: Any) -> OperatorPartial:
        """
        Give the arguments that all tasks of a mapped operator have, before ``expand()`` or ``expand_kwargs()``.

        :param arguments: by name.
        :return: what these two are called on; they refuse values that can never work.
        :raises TypeError: naming arguments that do not exist, with what to write instead.
        """
        from airflow_armada.operators.mapped import CheckedPartial

        check_names(cls, arguments)
        return CheckedPartial.of(super().partial(**arguments))

    def execute(self, context: Context) -> Any:
        """
        Submit the job and wait for it.

        :param context: Airflow's context.
        :return: the facts about the job.
        """
        if self.only_dry_run:
            from airflow_armada.task.dry_run import run

            return run(self, context)
        try:
            return self._begin(context).start()
        except ArmadaJobError as error:
            # Airflow's log shows each frame below the error: without ours the reader still sees the cause.
            raise error.with_traceback(None) from None

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
        except ArmadaJobError as error:
            raise error.with_traceback(None) from None  # as in execute()
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self._begin(context).abandon(error, timed_out=isinstance(error, TaskDeferralTimeout))
            raise

    def on_kill(self) -> None:
        """Cancel the job, unless ``cancel_on_kill`` is false; Airflow calls this while the task is on a worker."""
        self._kill().tell()

    def dry_run(self) -> None:
        """Check the job, a template file included, and print the request as it would be sent; needs no run."""
        from airflow_armada.task.dry_run import show

        print(show(self, self._context))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Name the job to OpenLineage, whose provider calls this at the end of a task, good or bad.

        :param task_instance: Airflow's task instance.
        :return: an ``OperatorLineage``, or None when there was no job.
        """
        from airflow_armada.task.end.lineage import job_lineage

        return job_lineage(self._segment.job_id if self._segment else "")

    def build_request(self, identity: JobIdentity) -> JobRequest:
        """
        Build the request for the job; override it to change what is submitted. It is called for each submission.

        :param identity: identity of the job.
        :return: the request.
        :raises ArmadaRefused: when the arguments do not make a job.
        """
        from airflow_armada.task.request.job_request import build_request

        return build_request(self, identity, self._context)

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
        left = render_typed(self, template_fields, context, jinja_env)
        super()._do_render_template_fields(parent, left, context, jinja_env, seen_oids)
        hide_links(self)
        if is_resumed(context["ti"]):
            # What Airflow has stored of the first segment is kept: with the rendered job, which only that one makes.
            self.template_fields = ()
        else:
            self._show_early(context)

    def _show_early(self, context: Context) -> None:
        """Put the job among the rendered templates before Airflow stores them, to spare it storing them twice."""
        from airflow_armada.hooks.armada import ArmadaHook
        from airflow_armada.hooks.job_defaults import job_defaults
        from airflow_armada.task.request.job_request import prepare
        from airflow_armada.task.request.telling_values import hide_telling_values
        from airflow_armada.tries.attempt import Attempt

        self.overwrite_rtif_after_execution = False
        item = None
        with suppress(Exception):  # is raised again by execute(), where it fails the task
            defaults = job_defaults(ArmadaHook(self.armada_conn_id).settings())
            prepared = prepare(self, Attempt.of(context, self.retries or 0).identity(), defaults)
            self.prepared, self.rendered_job, item = prepared, prepared.show(), prepared.request.item
        hide_telling_values(vars(self), item)

    def _begin(self, context: Context) -> Segment:
        from airflow_armada.task.segment import Segment

        self._context = context
        self._segment = Segment(self, context, self._kill())
        return self._segment

    def _kill(self) -> Kill:
        """Give the one object that says whether this task was killed; made in one step that no signal interrupts."""
        kill: Kill = self.__dict__.setdefault("_kill_of_task", Kill())
        return kill
