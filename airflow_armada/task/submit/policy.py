"""Which jobs of an earlier try a retry takes over: what the task's author says in ``reattach``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_armada.exceptions import ArmadaRefused
from airflow_armada.follow.state.outcome import CANCELLED, FAILED, LOST, PREEMPTED, REJECTED, SUCCEEDED
from airflow_armada.task.arguments.checks import ALWAYS, NEVER, RUNNING_OR_SUCCEEDED

if TYPE_CHECKING:
    from airflow_armada.client.typings import JobState

Choice = Callable[["JobState", str], bool]
"""An author's own rule: gets the state of the job and the reason of its end, and says whether it is taken over."""


@dataclass(frozen=True)
class Policy:
    """
    What the task's author wants of retries.

    :param reattach: which jobs a retry takes over, one of
        :data:`~airflow_armada.task.arguments.checks.REATTACH_POLICIES`, or a rule of the author's.
    :param resubmissions: how often a try may submit its job again.
    """

    reattach: str | Choice = RUNNING_OR_SUCCEEDED
    resubmissions: int = 0

    @property
    def may_keep_ends(self) -> bool:
        """Whether a retry may take over a job that has not succeeded, and then ends as it did."""
        return self.reattach == ALWAYS or callable(self.reattach)

    @property
    def needs_state(self) -> bool:
        """Whether nothing can be decided while it is not known whether the job has succeeded."""
        return self.reattach not in (ALWAYS, RUNNING_OR_SUCCEEDED)

    def takes(self, state: JobState, reason: str = "") -> bool:
        """
        Tell whether a retry takes a job over.

        :param state: of the job.
        :param reason: why it ended, empty while it runs.
        :return: true if it does; otherwise the job is cancelled if it runs, and a new one is submitted.
        :raises ArmadaRefused: when the author's rule raises something.
        """
        from airflow_armada.client.typings import JobState

        if callable(self.reattach):
            try:
                return bool(self.reattach(state, reason))
            except Exception as error:
                raise ArmadaRefused(f"reattach, a function, raised {type(error).__name__}: {error}") from error
        if self.reattach in (ALWAYS, NEVER):
            return self.reattach == ALWAYS
        return not state.is_terminal() or (state is JobState.SUCCEEDED and self.reattach == RUNNING_OR_SUCCEEDED)


def state_of(end: str) -> JobState:
    """
    Give the state of a job whose end a try has noted.

    :param end: how it ended.
    :return: its state; what the task itself has ended by a cancel counts as cancelled.
    """
    from airflow_armada.client.typings import JobState

    states = {
        SUCCEEDED: JobState.SUCCEEDED,
        FAILED: JobState.FAILED,
        REJECTED: JobState.REJECTED,
        PREEMPTED: JobState.PREEMPTED,
        LOST: JobState.UNKNOWN,
        CANCELLED: JobState.CANCELLED,
    }
    return states.get(end, JobState.CANCELLED)
