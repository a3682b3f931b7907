"""What others learn of a task's job: Airflow's UI by links, other tasks by XComs, frameworks by callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_armada.links.armada import show_links, show_lookout
from airflow_armada.task.end.callback_runner import CallbackRunner
from airflow_armada.task.end.facts import announce, facts
from airflow_armada.task.end.job_links import links_at_submission, links_at_the_end
from airflow_armada.task.end.published import published_facts, push_published

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.wait.job_wait import JobWait


class Publisher:
    """
    Tells of the jobs of a segment.

    :param arguments: the task's arguments, rendered.
    :param context: Airflow's context.
    """

    def __init__(self, arguments: TaskArguments, context: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self._ti = context["ti"]
        self._callbacks = CallbackRunner(arguments.callbacks, context)

    @property
    def witness(self) -> CallbackRunner | None:
        """Who wants to see the job run; None where nobody does."""
        return self._callbacks or None

    def submitted(self, wait: JobWait, *, waits_here: bool) -> None:
        """
        Tell of a job before anything waits for it.

        :param wait: the job.
        :param waits_here: whether this part of the task goes on until the job has ended; otherwise Airflow stores the
            links at the end of this part, and the callbacks are waited for.
        """
        announce(self._ti, wait)
        if self._arguments.armada_compat_xcom:
            push_published(self._ti, wait, None)
        show_lookout(self._arguments, self._ti, at_once=waits_here)
        show_links(self._arguments, self._ti, links_at_submission(self._arguments, wait), at_once=waits_here)
        self._callbacks.submitted(wait)
        if not waits_here:
            self._callbacks.settle()

    def ended(self, wait: JobWait, outcome: Outcome) -> None:
        """
        Tell of the end of a job, after which the task may submit another.

        :param wait: the job.
        :param outcome: its end.
        """
        self._callbacks.ended(wait, outcome)
        self._callbacks.settle()

    def last(self, wait: JobWait, outcome: Outcome) -> None:
        """
        Tell where the last job of the task ran.

        :param wait: the job.
        :param outcome: its end.
        """
        show_links(self._arguments, self._ti, links_at_the_end(self._arguments, wait, outcome), at_once=False)
        if self._arguments.armada_compat_xcom:
            push_published(self._ti, wait, outcome)

    def facts(self, wait: JobWait, outcome: Outcome | None) -> dict[str, Any]:
        """
        Give the return value of the task.

        :param wait: the job.
        :param outcome: its end; None if nobody waited for it.
        :return: builtins.
        """
        known = facts(wait, outcome)
        if outcome is None or not self._arguments.armada_compat_xcom:
            return known
        links = links_at_submission(self._arguments, wait) | links_at_the_end(self._arguments, wait, outcome)
        return known | published_facts(wait, outcome, links)

    def close(self) -> None:
        """Tell nothing more."""
        self._callbacks.close()
