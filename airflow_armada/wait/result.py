"""What a job that succeeded has printed as its result, or why nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowSkipException
from airflow_armada.exceptions import ArmadaRefused, ArmadaResultError
from airflow_armada.follow.state.outcome import LOG_GONE
from airflow_armada.wait.task_log import LAST_LINE_LENGTH

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.wait.job_wait import JobWait


def check_log_service(settings: SiteSettings, armada_conn_id: str) -> None:
    """
    Refuse a job whose result nobody could read.

    :param settings: the site.
    :param armada_conn_id: the connection.
    :raises ArmadaRefused: when the connection names no log service.
    """
    if not (settings.binoculars or settings.binoculars_by_cluster):
        raise ArmadaRefused(
            f"get_result needs the job's log, but connection {armada_conn_id!r} names no log service; "
            "set its field binoculars, or get_result=False"
        )


def is_gone(wait: JobWait, outcome: Outcome, collector: ResultCollector | None) -> bool:
    """
    Tell whether a job of an earlier try may have printed a result that nobody can read any more.

    :param wait: the job.
    :param outcome: its end.
    :param collector: what was found of the result; None when nobody wants one.
    :return: true where only another job can give it.
    """
    if collector is None or collector.found.text is not None or collector.found.skip is not None:
        return False
    return wait.adopted and outcome.log_gap == LOG_GONE


def result_of(wait: JobWait, outcome: Outcome, collector: ResultCollector, note_end: Callable[[str], None]) -> Any:
    """
    Give the value that a job printed.

    :param wait: the job.
    :param outcome: its end.
    :param collector: has seen its log.
    :param note_end: lets no retry take the job over; a log that could not be read now may be read by one.
    :return: the value.
    :raises AirflowSkipException: when the job asks for it.
    :raises ArmadaResultError: when there is none that can be used.
    """
    from airflow_armada.jobs.result_value import ResultError

    what = f"Armada job {wait.job_id} succeeded, but"
    unread = f"{what} its result cannot be read: {outcome.log_gap or 'its log service does not answer'}"
    if not outcome.logs_complete:
        raise ArmadaResultError(unread)
    if collector.found.skip is not None:
        raise AirflowSkipException(f"Armada job {wait.job_id} asks to skip the task: {collector.found.skip}")
    try:
        return collector.value()
    except ResultError as error:
        if outcome.log_gap in ("", LOG_GONE):
            note_end("failed")
        raise ArmadaResultError(unread if outcome.log_gap else f"{what} {error}") from None


def without_traceback(last_lines: Sequence[str], traceback: str) -> list[str]:
    """
    Leave a function's traceback out of the last lines of its job: it stands in the task log already.

    :param last_lines: of the job's log, each cut to a readable length.
    :param traceback: as the job reported it.
    :return: the lines before it; none where all of them are blank.
    """
    told = {line[:LAST_LINE_LENGTH] for line in traceback.splitlines()}
    lines = [line for line in last_lines if line not in told]
    return lines if any(line.strip() for line in lines) else []
