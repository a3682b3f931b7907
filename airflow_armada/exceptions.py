"""
One exception per way in which a job can end, other than well.

An end that would be the same again (rejected, cancelled by somebody, refused at submission) is an
``AirflowFailException``, which Airflow never retries; every other one counts as an ordinary failure.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_armada._compat import AirflowException, AirflowFailException, AirflowNotFoundException, AirflowTaskTimeout
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.foreign_text import bounded
from airflow_armada.client.patience import Kind, kind_of
from airflow_armada.follow.state.outcome import Outcome

_MAX_REASON = 2000  # characters; a scheduler's reason can fill pages
_SHOWN_LINES = 10
_MAX_LINE = 300
_SAID_BY_THE_HEADLINE = re.compile(r"^\s*Container \S+ failed with exit code \d+ because \w+:?")
"""How the executor begins the reason of a container's failure; what the container itself said follows."""

_SIGNALLED = 128  # a shell's exit code for a process that a signal ended is this and the signal's number


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


class ArmadaJobKept(ArmadaJobError, AirflowFailException):
    """The job did not succeed, and a retry would take over the same job again: ``reattach`` says so."""


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
_HEADLINES: dict[str, str] = {
    "rejected": "Rejected by the scheduler",
    "preempted": "Preempted",
    "cancelled": "Cancelled",
    "lost": "Lost: Armada does not know the job",
    "timed_out": "execution_timeout passed before the job had ended",
    "queued_too_long": "queued_timeout passed before the job had started",
}
_FAILURES: dict[str, str] = {
    "OOM": "Out of memory",
    "Evicted": "Evicted by its node",
    "DeadlineExceeded": "Ran longer than its activeDeadlineSeconds",
}


def _exception_class(outcome: Outcome) -> type[ArmadaJobError]:
    if outcome.status == "failed":
        return _BY_CAUSE.get(outcome.cause, ArmadaJobFailed)
    return _BY_STATUS.get(outcome.status, ArmadaJobError)


def _headline(outcome: Outcome, memory_limits: Sequence[str] = ()) -> str:
    """Say in a few words how a job ended, so that they can be read where only the beginning of a text is shown."""
    if outcome.status == "failed":
        failed = {name: code for name, code in sorted(outcome.exit_codes.items()) if code}
        codes = ", ".join(
            _exit_code(code, name if len(outcome.exit_codes) > 1 else "") for name, code in failed.items()
        )
        cause = _FAILURES.get(outcome.cause, "")
        if outcome.cause == "OOM":
            limits = dict(one.split("=", 1) for one in memory_limits)
            reached = [limits[name] for name in failed or limits if name in limits]
            cause += f" at the limit of {reached[0]}" if len(reached) == 1 else ""
        return f"{cause} ({codes})" if cause and codes else cause or codes[:1].upper() + codes[1:] or "Failed"
    text = _HEADLINES.get(outcome.status, f"Ended as {outcome.status}")
    by = f" by job {outcome.preempting_job_id}" if outcome.preempting_job_id else ""
    return text + (by or (f" by {outcome.requestor}" if outcome.requestor else ""))


def _exit_code(code: int, container: str) -> str:
    text = f"exit code {code}"
    if code > _SIGNALLED:
        with suppress(ValueError):
            text += f", {signal.Signals(code - _SIGNALLED).name}"
    return text + (f" in container {container}" if container else "")


def _identifiers(outcome: Outcome) -> str:
    category = "/".join(part for part in (outcome.failure_category, outcome.failure_subcategory) if part)
    known = {
        "queue": outcome.queue,
        "job set": outcome.job_set_id,
        "cluster": outcome.cluster,
        "node": outcome.node,
        "category": category,
    }
    return f"Armada job {outcome.job_id}: " + ", ".join(f"{name} {value}" for name, value in known.items() if value)


def describe(
    outcome: Outcome, *, job_url: str = "", last_lines: Sequence[str] = (), memory_limits: Sequence[str] = ()
) -> str:
    """
    Tell how a job ended: the cause first, then what it wrote last, then which job it was.

    :param outcome: the end of the job.
    :param job_url: its page in Lookout, or empty.
    :param last_lines: the last lines of its log.
    :param memory_limits: of each container that has one, as ``name=2Gi``.
    :return: a line with the cause, and more lines below it.
    """
    reason = bounded(_SAID_BY_THE_HEADLINE.sub("", outcome.reason).strip(), _MAX_REASON)
    first, _, rest = reason.partition("\n")
    headline = _headline(outcome, memory_limits)
    lines = [f"{headline}: {first}" if first else headline, *rest.splitlines()]
    if shown := [f"  {bounded(line, _MAX_LINE)}" for line in list(last_lines)[-_SHOWN_LINES:]]:
        lines += ["Last log lines:", *shown]
    return "\n".join([*lines, _identifiers(outcome), *([job_url] if job_url else [])])


def job_error(
    outcome: Outcome, *, job_url: str = "", last_lines: Sequence[str] = (), memory_limits: Sequence[str] = ()
) -> ArmadaJobError:
    """
    Make the exception for the end of a job.

    :param outcome: the end of the job, not a success.
    :param job_url: its page in Lookout, or empty.
    :param last_lines: the last lines of its log.
    :param memory_limits: of each container that has one, as ``name=2Gi``.
    :return: an exception of the class that belongs to this end.
    """
    message = describe(outcome, job_url=job_url, last_lines=last_lines, memory_limits=memory_limits)
    return _exception_class(outcome)(message, outcome.to_dict())


@contextmanager
def refused_without_settings(conn_id: str) -> Iterator[None]:
    """
    Refuse a task whose connection cannot be used as it is, because it cannot succeed.

    :param conn_id: the connection that is read in the block.
    :raises ArmadaRefused: when there is no such connection, or its values cannot be right.
    """
    try:
        yield
    except SettingsError as error:
        raise ArmadaRefused(str(error)) from None
    except AirflowNotFoundException:
        raise ArmadaRefused(f"there is no Airflow connection {conn_id!r}; create one of type armada") from None


def id_of_submitted(response: Any) -> str:
    """
    Read the answer to the submission of one job.

    :param response: a ``JobSubmitResponse``.
    :return: the id of the job.
    :raises ArmadaRefused: when there is none.
    """
    answer = response.job_response_items[0]
    if answer.error or not answer.job_id:
        raise ArmadaRefused(f"Armada refused the job: {answer.error or 'it gave no job id'}")
    return str(answer.job_id)


def may_have_happened(error: Exception) -> bool:
    """
    Tell whether Armada may have taken a submission that failed; without credentials nothing was sent.

    :param error: how it failed.
    :return: false where nothing can have come of it.
    """
    return bool(getattr(error, "may_have_happened", False))


def call_error(error: Exception, what: str) -> ArmadaUnavailable | ArmadaRefused:
    """
    Make the exception for a call that Armada did not answer well.

    :param error: an ``ArmadaRpcError``, or a ``ValueError`` about something that can never be sent.
    :param what: what was tried, for example "submit the job to queue x".
    :return: an exception that says whether trying again can help.
    """
    kind = ArmadaRefused if kind_of(error) is Kind.FINAL else ArmadaUnavailable
    return kind(f"Could not {what}: {error}")
