"""Whether another try of the task will look after a job that this one leaves running."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import HAS_RETRY_POLICIES, AirflowFailException, AirflowSkipException
from airflow_armada.task.arguments.checks import NEVER

if TYPE_CHECKING:
    from airflow_armada.task.arguments.task_arguments import TaskArguments

log = logging.getLogger(__name__)


def has_next_try(context: Mapping[str, Any]) -> bool:
    """
    Tell whether tries are left.

    :param context: Airflow's context.
    :return: whether Airflow would make another one after an ordinary error.
    """
    ti = context["ti"]
    return bool(ti.try_number <= (ti.max_tries or 0))


def next_try_adopts(arguments: TaskArguments, context: Mapping[str, Any], error: BaseException) -> bool:
    """
    Tell whether there will be another try, and whether it takes over what this one leaves.

    :param arguments: the task's arguments.
    :param context: Airflow's context.
    :param error: what ends this try: after some errors, and where the task's retry policy says so, Airflow makes no
        other one although tries are left.
    :return: true also when a retry policy cannot be asked, as Airflow then goes by the number of tries alone.
    """
    more = has_next_try(context) and arguments.reattach != NEVER
    return more and not isinstance(error, AirflowFailException | AirflowSkipException) and not _refused(context, error)


def _refused(context: Mapping[str, Any], error: BaseException) -> bool:
    """Ask the task's retry policy what Airflow is about to ask it."""
    ti = context["ti"]
    policy = getattr(getattr(ti, "task", None), "retry_policy", None)
    if not HAS_RETRY_POLICIES or policy is None:
        return False
    from airflow.sdk.definitions.retry_policy import RetryAction

    try:
        decision = policy.evaluate(error, ti.try_number, ti.max_tries or 0, context)
    except Exception as failure:
        log.debug("The task's retry policy cannot be asked: %s", failure)
        return False
    return bool(decision.action is RetryAction.FAIL)
