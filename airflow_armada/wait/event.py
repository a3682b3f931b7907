"""The event with which a trigger resumes its task, and which the worker makes for itself in blocking mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_armada.client.foreign_text import storable_value

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.wait.job_wait import JobWait
    from airflow_armada.wait.task_log import TaskLogReporter

EVENT_VERSION = 1


def infrastructure_end(outcome: Outcome) -> str:
    """
    Tell whether a job ended through no fault of its own.

    :param outcome: the end of the job.
    :return: ``preempted``, ``evicted``, ``lease_expired`` or, for every other end, an empty string.
    """
    if outcome.status == "preempted":
        return "preempted"
    if outcome.status != "failed":
        return ""
    if outcome.cause == "Evicted":
        return "evicted"
    return "lease_expired" if outcome.failure_subcategory == "lease-expired" else ""


def make_error_event(wait: JobWait, error: Exception) -> dict[str, Any]:
    """
    Put into an event that the job could not be followed any further.

    :param wait: the job.
    :param error: why not; its text is stored and shown.
    :return: the payload of the trigger's event.
    """
    event = {"version": EVENT_VERSION, "wait": wait.to_dict(), "error": str(error) or type(error).__name__}
    cleaned: dict[str, Any] = storable_value(event)
    return cleaned


def make_event(
    wait: JobWait,
    outcome: Outcome,
    reporter: TaskLogReporter,
    collector: ResultCollector | None = None,
) -> dict[str, Any]:
    """
    Put the end of a job into a small dictionary of builtins.

    Airflow keeps it in a database: a NUL that it cannot store would end the whole triggerer. So what a job or a server
    wrote is cleaned here; a result already is, and it may be longer than other texts.

    :param wait: the job.
    :param outcome: its end.
    :param reporter: what has shown its log: its last lines go into the error, and what it has kept goes into the log
        again, where a second deferral is about to destroy the log of the first.
    :param collector: holds the result that the job printed.
    :return: the payload of the trigger's event.
    """
    event: dict[str, Any] = {"version": EVENT_VERSION, "wait": wait.to_dict(), "outcome": outcome.to_dict()}
    if outcome.status != "succeeded":
        event["last_lines"] = reporter.last_lines()
    if not outcome.logs_complete:
        event["shown_until"] = reporter.shown_until()
    if infrastructure_end(outcome) in wait.resubmit_on:
        event["records"] = reporter.kept_records()
    cleaned: dict[str, Any] = storable_value(event)
    if collector is not None:
        cleaned["result"] = collector.to_dict()
    return cleaned
