"""A retry policy for Airflow 3.3 or newer: whether and when to try again, by how the job ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_armada._compat import CAN_RESCHEDULE, HAS_RETRY_POLICIES
from airflow_armada.exceptions import ArmadaJobError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_armada.follow.state.outcome import Outcome

if not HAS_RETRY_POLICIES:
    raise ImportError("ArmadaRetryPolicy needs Airflow 3.3 or newer; older ones retry by the exceptions' classes alone")

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy


@dataclass(frozen=True)
class Reschedule:
    """
    A verdict for Airflow 3.4 or newer: run the task again later, with a new job, and use none of its ``retries``.

    For jobs that fail because of others: the queue's share is used up, or a job with a higher priority took the place.
    Once a bound is reached, Airflow retries or fails the task as it does without a policy.

    :param delay: how long to wait; numbers are seconds.
    :param max_reschedules: how many times a try may be run again.
    :param reschedule_timeout: for how long a try may be run again, counted from its first reschedule; numbers are
        seconds.
    :raises ValueError: if there is neither bound, or if this Airflow is too old.
    """

    delay: timedelta | float
    max_reschedules: int | None = None
    reschedule_timeout: timedelta | float | None = None

    def __post_init__(self) -> None:
        if not CAN_RESCHEDULE:
            raise ValueError("Reschedule needs Airflow 3.4 or newer; a number or timedelta makes a retry after it")
        if self.max_reschedules is None and self.reschedule_timeout is None:
            raise ValueError("Reschedule needs max_reschedules, reschedule_timeout or both, or it could go on for ever")


Verdict = timedelta | float | bool | Reschedule
"""True tries again after the task's own ``retry_delay``, False never, a time after that time (numbers are seconds)."""


class ArmadaRetryPolicy(RetryPolicy):
    """
    Decide on a retry by exit code, failure category or kind of end, whichever of these comes first.

    What no entry names is left to Airflow, or to the next policy of a ``ChainRetryPolicy``. Ends that would be the same
    again (rejected, cancelled by somebody, refused) never retry: Airflow asks no policy about them. A policy cannot
    give more tries than ``retries``, but :class:`Reschedule` uses none of them. Airflow 3.4 and newer show a verdict's
    reason beside the task's state.

    Usage::

        ArmadaOperator(
            ...,
            retries=3,
            retry_policy=ArmadaRetryPolicy(exit_codes={2: False, 75: timedelta(minutes=10)}, preempted=60),
        )

    :param exit_codes: verdict by the exit code of any container; a False among several codes wins.
    :param failure_categories: verdict by Armada's failure category, as ``category`` or ``category/subcategory``; the
        latter is looked up first.
    :param exceptions: verdict by exception class; the most special class that fits counts.
    :param preempted: verdict on jobs that were preempted more often than they were to be resubmitted.
    :param queued_too_long: verdict on jobs that had not started when ``queued_timeout`` passed.
    """

    def __init__(
        self,
        *,
        exit_codes: Mapping[int, Verdict] | None = None,
        failure_categories: Mapping[str, Verdict] | None = None,
        exceptions: Mapping[type[BaseException], Verdict] | None = None,
        preempted: Verdict = True,
        queued_too_long: Verdict | None = None,
    ) -> None:
        self.exit_codes = dict(exit_codes or {})
        self.failure_categories = dict(failure_categories or {})
        self.exceptions = dict(exceptions or {})
        self.statuses = {
            "preempted": (preempted, "the job was preempted"),
            "queued_too_long": (queued_too_long, "the job was queued for longer than queued_timeout"),
        }

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """
        Decide on a failure.

        :param exception: what the task raised.
        :param try_number: number of the try that failed, from 1.
        :param max_tries: how many tries there are at most.
        :param context: Airflow's context.
        :return: the decision, with the reason that Airflow shows.
        """
        outcome, decision = _outcome(exception), None
        if outcome is not None:
            decision = self._by_exit_code(outcome) or self._by_category(outcome)
        decision = decision or self._by_class(exception)
        if decision is None and outcome is not None:
            decision = self._by_status(outcome)
        return decision or RetryDecision.default()

    def _by_exit_code(self, outcome: Outcome) -> RetryDecision | None:
        named = {code: self.exit_codes[code] for code in outcome.exit_codes.values() if code in self.exit_codes}
        for code, verdict in sorted(named.items(), key=lambda entry: entry[1] is not False):
            return _decision(verdict, f"exit code {code}")
        return None

    def _by_category(self, outcome: Outcome) -> RetryDecision | None:
        category, subcategory = outcome.failure_category, outcome.failure_subcategory
        for name in (f"{category}/{subcategory}", category):
            if category and name in self.failure_categories:
                return _decision(self.failure_categories[name], f"failure category {name}")
        return None

    def _by_class(self, exception: BaseException) -> RetryDecision | None:
        for cls in type(exception).__mro__:
            if cls in self.exceptions:
                return _decision(self.exceptions[cls], cls.__name__)
        return None

    def _by_status(self, outcome: Outcome) -> RetryDecision | None:
        verdict, reason = self.statuses.get(outcome.status, (None, ""))
        return None if verdict is None else _decision(verdict, reason)


def _outcome(exception: BaseException) -> Outcome | None:
    """Give what is known of the job; an error that somebody else has raised may know nothing."""
    try:
        return exception.outcome if isinstance(exception, ArmadaJobError) else None
    except ValueError:
        return None


def _decision(verdict: Verdict, reason: str) -> RetryDecision:
    if verdict is False:
        return RetryDecision.fail(reason)
    if verdict is True:
        return RetryDecision.retry(reason=reason)
    if not isinstance(verdict, Reschedule):
        return RetryDecision.retry(delay=_time(verdict), reason=reason)
    timeout = verdict.reschedule_timeout
    decision: RetryDecision = RetryDecision.reschedule(  # type: ignore[attr-defined]  # before Airflow 3.4
        _time(verdict.delay),
        max_reschedules=verdict.max_reschedules,
        reschedule_timeout=None if timeout is None else _time(timeout),
        reason=reason,
    )
    return decision


def _time(given: timedelta | float) -> timedelta:
    return given if isinstance(given, timedelta) else timedelta(seconds=given)
