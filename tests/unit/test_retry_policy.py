"""Whether and when a failed task tries again, by how its job ended."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest

from tests.support.airflow_versions import AIRFLOW, DagSerialization

if AIRFLOW < (3, 3):
    pytest.skip("Airflow has no retry policies before 3.3", allow_module_level=True)

from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision, RetryPolicy

from airflow_armada.exceptions import ArmadaJobFailed, ArmadaJobOutOfMemory, ArmadaUnavailable, job_error
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.retry_policy import ArmadaRetryPolicy, Reschedule

from_3_4 = pytest.mark.skipif(AIRFLOW < (3, 4), reason="RetryAction.RESCHEDULE comes with Airflow 3.4")
JOB = {"job_id": "01h", "queue": "q", "job_set_id": "s"}


def _decide(policy: RetryPolicy, **end: object) -> RetryDecision:
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


def test_a_job_that_is_queued_too_long_is_left_to_airflow_unless_there_is_a_verdict() -> None:
    assert _decide(ArmadaRetryPolicy(), status="queued_too_long").action is RetryAction.DEFAULT
    assert _decide(ArmadaRetryPolicy(queued_too_long=False), status="queued_too_long").action is RetryAction.FAIL


@from_3_4
@pytest.mark.parametrize("argument", ["preempted", "queued_too_long"])
def test_a_try_is_given_back(argument: str) -> None:
    policy = ArmadaRetryPolicy(**{argument: Reschedule(600, max_reschedules=20, reschedule_timeout=timedelta(hours=6))})

    decision = _decide(policy, status=argument)

    assert decision.action.name == "RESCHEDULE"
    assert decision.retry_delay == timedelta(minutes=10)
    assert (decision.max_reschedules, decision.reschedule_timeout) == (20, timedelta(hours=6))
    assert "job" in str(decision.reason)


@from_3_4
def test_giving_back_for_ever_is_refused() -> None:
    with pytest.raises(ValueError, match="max_reschedules, reschedule_timeout or both"):
        Reschedule(600)


@pytest.mark.skipif(AIRFLOW >= (3, 4), reason="Airflow 3.4 can")
def test_an_airflow_that_cannot_give_a_try_back_says_so_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match=r"needs Airflow 3\.4"):
        Reschedule(600, max_reschedules=20)


@from_3_4
def test_in_a_chain_the_next_policy_decides_on_what_no_entry_names() -> None:
    policies = import_module("airflow.sdk.definitions.retry_policy")
    other = policies.ExceptionRetryPolicy([policies.RetryRule(exception=ArmadaJobFailed, action=RetryAction.FAIL)])
    chain = policies.ChainRetryPolicy([ArmadaRetryPolicy(exit_codes={75: 60}), other])

    assert _decide(chain, exit_codes={"base": 75}).retry_delay == timedelta(minutes=1)
    assert _decide(chain, exit_codes={"base": 1}).action is RetryAction.FAIL


def test_an_operator_takes_it() -> None:
    from airflow.sdk import DAG

    from airflow_armada.operators.armada import ArmadaOperator

    with DAG("with_policy", schedule=None) as dag:
        ArmadaOperator(
            task_id="work", armada_queue="q", image="i", cmds=["true"], retries=1, retry_policy=ArmadaRetryPolicy()
        )

    assert DagSerialization.to_dict(dag)["dag"]["tasks"]


def test_an_error_that_knows_nothing_of_its_job_is_decided_by_its_class() -> None:
    assert ArmadaRetryPolicy().evaluate(ArmadaJobFailed("of an author's own"), 1, 3).action is RetryAction.DEFAULT
    decision = ArmadaRetryPolicy(exceptions={ArmadaJobFailed: False}).evaluate(ArmadaJobFailed(), 1, 3)
    assert decision.action is RetryAction.FAIL
