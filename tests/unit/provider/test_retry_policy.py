"""Whether and when a failed task tries again, by how its job ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.airflow_versions import AIRFLOW, DagSerialization

if AIRFLOW < (3, 3):
    pytest.skip("Airflow has no retry policies before 3.3", allow_module_level=True)

from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

from airflow_armada.exceptions import ArmadaJobFailed, ArmadaJobOutOfMemory, ArmadaUnavailable, job_error
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.retry_policy import ArmadaRetryPolicy

JOB = {"job_id": "01h", "queue": "q", "job_set_id": "s"}


def _decide(policy: ArmadaRetryPolicy, **end: object) -> RetryDecision:
    outcome = Outcome(**{**JOB, "status": "failed", **end})
    return policy.evaluate(job_error(outcome), try_number=1, max_tries=3)


def test_what_no_entry_names_is_left_to_airflow() -> None:
    policy = ArmadaRetryPolicy(exit_codes={2: False}, failure_categories={"gpu": 5}, exceptions={ArmadaUnavailable: 1})
    assert _decide(policy, exit_codes={"base": 1}).action is RetryAction.DEFAULT
    assert policy.evaluate(ValueError(), 1, 3).action is RetryAction.DEFAULT


@pytest.mark.parametrize(
    ("verdict", "action", "delay"),
    [
        (False, RetryAction.FAIL, None),
        (True, RetryAction.RETRY, None),
        (90, RetryAction.RETRY, timedelta(seconds=90)),
        (0, RetryAction.RETRY, timedelta(0)),
        (timedelta(minutes=2), RetryAction.RETRY, timedelta(minutes=2)),
    ],
)
def test_a_verdict_is_yes_no_or_a_delay(verdict: object, action: RetryAction, delay: timedelta | None) -> None:
    decision = _decide(ArmadaRetryPolicy(exit_codes={7: verdict}), exit_codes={"base": 7})
    assert (decision.action, decision.retry_delay) == (action, delay)
    assert decision.reason == "exit code 7"


def test_a_hopeless_exit_code_wins_over_one_that_may_be_retried() -> None:
    policy = ArmadaRetryPolicy(exit_codes={1: True, 2: False})
    assert _decide(policy, exit_codes={"base": 1, "sidecar": 2}).action is RetryAction.FAIL


def test_a_subcategory_counts_before_its_category() -> None:
    policy = ArmadaRetryPolicy(failure_categories={"infra": False, "infra/network": True})
    assert _decide(policy, failure_category="infra", failure_subcategory="network").action is RetryAction.RETRY
    assert _decide(policy, failure_category="infra", failure_subcategory="disk").action is RetryAction.FAIL
    assert _decide(policy, failure_category="infra").action is RetryAction.FAIL


def test_the_most_special_exception_class_counts() -> None:
    policy = ArmadaRetryPolicy(exceptions={ArmadaJobFailed: 10, ArmadaJobOutOfMemory: False})
    assert _decide(policy, cause="OOM").action is RetryAction.FAIL
    assert _decide(policy, cause="Error").retry_delay == timedelta(seconds=10)


def test_preemption_has_a_verdict_of_its_own() -> None:
    assert _decide(ArmadaRetryPolicy(), status="preempted").action is RetryAction.RETRY
    assert _decide(ArmadaRetryPolicy(preempted=False), status="preempted").action is RetryAction.FAIL
    assert _decide(ArmadaRetryPolicy(preempted=30), status="preempted").retry_delay == timedelta(seconds=30)


def test_an_operator_takes_it() -> None:
    from airflow.sdk import DAG

    from airflow_armada.operators.armada import ArmadaOperator

    with DAG("with_policy", schedule=None) as dag:
        ArmadaOperator(
            task_id="work", armada_queue="q", image="i", cmds=["true"], retries=1, retry_policy=ArmadaRetryPolicy()
        )

    assert DagSerialization.to_dict(dag)["dag"]["tasks"]
