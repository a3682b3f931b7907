"""A trigger that cannot follow its job says nothing about the job: the task is deferred again, but not for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_armada.client.job_ref import JobRef
from airflow_armada.exceptions import ArmadaUnavailable
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task import segment
from airflow_armada.wait.event import make_error_event
from airflow_armada.wait.job_wait import JobWait

JOB = JobRef("q", "s", "j")


def resumed(errors: int, **arguments: Any) -> None:
    operator = ArmadaOperator(task_id="t", armada_queue="q", image="i", **arguments)
    ti = SimpleNamespace(
        dag_id="d",
        run_id="r",
        task_id="t",
        map_index=-1,
        try_number=1,
        max_tries=1,
        start_date=datetime.now(UTC),
    )
    wait = JobWait("armada_default", JOB, 1.0, errors=errors)
    operator.execute_complete({"ti": ti}, make_error_event(wait, RuntimeError("a fault of ours")))


@pytest.mark.parametrize("errors", range(segment._MAX_ERRORS))
def test_the_job_is_followed_again(errors: int) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        resumed(errors)

    wait = deferred.value.trigger.wait
    assert (wait.job, wait.errors) == (JOB, errors + 1)


def test_in_the_end_the_try_fails_and_leaves_the_job_to_the_next() -> None:
    with pytest.raises(ArmadaUnavailable, match="a fault of ours"):
        resumed(segment._MAX_ERRORS)
