"""Whether the end of a job means that its task is to be skipped."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome


def skip_code(skip_on_exit_code: int | Collection[int] | None, outcome: Outcome) -> int | None:
    """
    Look among the exit codes of a job that failed for one that skips the task.

    :param skip_on_exit_code: the operator's argument.
    :param outcome: the end of the job.
    :return: the code, if every container that failed ended with one that skips; else None.
    """
    wanted = {skip_on_exit_code} if isinstance(skip_on_exit_code, int) else set(skip_on_exit_code or ())
    failed = {code for code in outcome.exit_codes.values() if code}
    if outcome.status != "failed" or not failed or not failed <= wanted:
        return None
    return min(failed)
