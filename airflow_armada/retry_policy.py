"""A retry policy for Airflow 3.3 or newer: whether and when to try again, by how the job ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_armada._compat import import_from
from airflow_armada.exceptions import ArmadaJobError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

    from airflow_armada.follow.state.outcome import Outcome
else:
    RetryDecision, RetryPolicy = import_from(
        "airflow.sdk.definitions.retry_policy",
        ("RetryDecision", "RetryPolicy"),
        "ArmadaRetryPolicy needs Airflow 3.3 or newer; older ones retry by the exceptions' classes alone",
    )

Verdict = timedelta | float | bool
"""True tries again after the task's own ``retry_delay``, False never, a time after that time (numbers are seconds)."""


class ArmadaRetryPolicy(RetryPolicy):
    """
    Decide on a retry by exit code, failure category or kind of end, whichever of these comes first.

    What no entry names is left to Airflow. Ends that would be the same again (rejected, cancelled by somebody, refused)
    never retry: Airflow asks no policy about them. A policy cannot give more tries than ``retries``.

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
    """

    def __init__(
        self,
        *,
        exit_codes: Mapping[int, Verdict] | None = None,
        failure_categories: Mapping[str, Verdict] | None = None,
        exceptions: Mapping[type[BaseException], Verdict] | None = None,
        preempted: Verdict = True,
    ) -> None:
        self.exit_codes = dict(exit_codes or {})
        self.failure_categories = dict(failure_categories or {})
        self.exceptions = dict(exceptions or {})
        self.preempted = preempted

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
        if isinstance(exception, ArmadaJobError):
            outcome = exception.outcome
            for found in (self._by_exit_code(outcome), self._by_category(outcome)):
                if found:
                    return found
        return self._by_class(exception) or self._by_preemption(exception) or RetryDecision.default()

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

    def _by_preemption(self, exception: BaseException) -> RetryDecision | None:
        preempted = isinstance(exception, ArmadaJobError) and exception.outcome.status == "preempted"
        return _decision(self.preempted, "the job was preempted") if preempted else None


def _decision(verdict: Verdict, reason: str) -> RetryDecision:
    if verdict is False:
        return RetryDecision.fail(reason)
    if verdict is True:
        return RetryDecision.retry(reason=reason)
    delay = verdict if isinstance(verdict, timedelta) else timedelta(seconds=verdict)
    return RetryDecision.retry(delay=delay, reason=reason)
