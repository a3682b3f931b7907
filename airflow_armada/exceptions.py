"""
One exception per way in which a job can end, other than well.

An end that would be the same again (rejected, cancelled by somebody, refused at submission) is an
``AirflowFailException``, which Airflow never retries; every other one counts as an ordinary failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_armada._compat import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow_armada.follow.state.outcome import Outcome

_MAX_REASON = 2000  # characters; a scheduler's reason can fill pages
_SHOWN_LINES = 10
_MAX_LINE = 300


class ArmadaUnavailable(AirflowException):
    """Armada could not be reached or did not answer; trying again later can help."""


class ArmadaRefused(AirflowFailException):
    """Armada refused a call, or the job is invalid: the same call would be refused again."""


class ArmadaResultError(AirflowException):
    """The job succeeded without printing a result that can be used."""


class ArmadaJobError(AirflowException):
    """
    A job did not succeed.

    :param message: the whole story in one text.
    :param facts: the outcome as :meth:`Outcome.to_dict` gives it.
    """

    def __init__(self, message: str = "", facts: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts: dict[str, Any] = dict(facts or {})

    @property
    def outcome(self) -> Outcome:
        """How the job ended."""
        return Outcome.from_dict(self.facts)

    def serialize(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Describe the exception to Airflow's serialisation with builtins only."""
        cls = type(self)
        return f"{cls.__module__}.{cls.__qualname__}", (str(self),), {"facts": self.facts}


class ArmadaJobFailed(ArmadaJobError):
    """A container exited with an error."""


class ArmadaJobOutOfMemory(ArmadaJobFailed):
    """A container used more memory than its limit."""


class ArmadaJobEvicted(ArmadaJobFailed):
    """The node evicted the pod."""


class ArmadaJobDeadlineExceeded(ArmadaJobFailed):
    """The job ran longer than its own ``activeDeadlineSeconds``."""


class ArmadaJobRejected(ArmadaJobError, AirflowFailException):
    """The scheduler can never run the job as it is."""


class ArmadaJobPreempted(ArmadaJobError):
    """The job had to make room for another, more often than it was to be resubmitted."""


class ArmadaJobCancelled(ArmadaJobError, AirflowFailException):
    """Somebody cancelled the job in Armada."""


class ArmadaJobLost(ArmadaJobError):
    """Armada does not know the job, or does not know it any more."""


class ArmadaJobTimedOut(ArmadaJobError, AirflowTaskTimeout):
    """The task's ``execution_timeout`` passed before the job had ended."""


class ArmadaJobQueuedTooLong(ArmadaJobError):
    """The job did not start within ``queued_timeout``; it was cancelled."""


_BY_STATUS: dict[str, type[ArmadaJobError]] = {
    "failed": ArmadaJobFailed,
    "rejected": ArmadaJobRejected,
    "preempted": ArmadaJobPreempted,
    "cancelled": ArmadaJobCancelled,
    "lost": ArmadaJobLost,
    "timed_out": ArmadaJobTimedOut,
    "queued_too_long": ArmadaJobQueuedTooLong,
}
_BY_CAUSE: dict[str, type[ArmadaJobError]] = {
    "OOM": ArmadaJobOutOfMemory,
    "Evicted": ArmadaJobEvicted,
    "DeadlineExceeded": ArmadaJobDeadlineExceeded,
}
_VERBS: dict[str, str] = {
    "failed": "failed",
    "rejected": "was rejected by the scheduler",
    "preempted": "was preempted",
    "cancelled": "was cancelled",
    "lost": "is not known to Armada",
    "timed_out": "had not ended when the task's execution_timeout passed",
    "queued_too_long": "had not started when queued_timeout passed",
}


def _exception_class(outcome: Outcome) -> type[ArmadaJobError]:
    if outcome.status == "failed":
        return _BY_CAUSE.get(outcome.cause, ArmadaJobFailed)
    return _BY_STATUS.get(outcome.status, ArmadaJobError)


def _details(outcome: Outcome) -> list[str]:
    """List what is known about the end, most telling first."""
    exit_codes = ", ".join(f"{name}={code}" for name, code in sorted(outcome.exit_codes.items()))
    category = "/".join(part for part in (outcome.failure_category, outcome.failure_subcategory) if part)
    known = (
        ("exit codes", exit_codes),
        ("cause", outcome.cause),
        ("category", category),
        ("reason", outcome.reason.strip()[:_MAX_REASON]),
        ("by", outcome.requestor),
        ("preempted by job", outcome.preempting_job_id),
        ("node", outcome.node),
    )
    return [f"{name}: {value}" for name, value in known if value]


def describe(outcome: Outcome, *, job_url: str = "", last_lines: Sequence[str] = ()) -> str:
    """
    Tell how a job ended.

    :param outcome: the end of the job.
    :param job_url: its page in Lookout, or empty.
    :param last_lines: the last lines of its log.
    :return: one line, and the last lines of the log below it.
    """
    cluster = f", cluster {outcome.cluster}" if outcome.cluster else ""
    where = f"queue {outcome.queue}, job set {outcome.job_set_id}{cluster}"
    verb = _VERBS.get(outcome.status, f"ended as {outcome.status}")
    parts = [f"Armada job {outcome.job_id} ({where}) {verb}", *_details(outcome)]
    text = "; ".join(parts) + (f"; see {job_url}" if job_url else "")
    shown = [f"  {line[:_MAX_LINE]}" for line in list(last_lines)[-_SHOWN_LINES:]]
    return "\n".join([text, "Last log lines:", *shown]) if shown else text


def job_error(outcome: Outcome, *, job_url: str = "", last_lines: Sequence[str] = ()) -> ArmadaJobError:
    """
    Make the exception for the end of a job.

    :param outcome: the end of the job, not a success.
    :param job_url: its page in Lookout, or empty.
    :param last_lines: the last lines of its log.
    :return: an exception of the class that belongs to this end.
    """
    message = describe(outcome, job_url=job_url, last_lines=last_lines)
    return _exception_class(outcome)(message, outcome.to_dict())


def call_error(error: Exception, what: str) -> ArmadaUnavailable | ArmadaRefused:
    """
    Make the exception for a call that Armada did not answer well.

    :param error: an ``ArmadaRpcError``, or a ``ValueError`` about something that can never be sent.
    :param what: what was tried, for example "submit the job to queue x".
    :return: an exception that says whether trying again can help.
    """
    transient = bool(getattr(error, "transient", False))
    kind = ArmadaUnavailable if transient else ArmadaRefused
    return kind(f"Could not {what}: {error}")
