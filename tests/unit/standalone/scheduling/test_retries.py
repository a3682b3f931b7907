"""Retry policies: which failed runs get another one, and how the end of a job without one is told."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2, event_pb2, submit_pb2
from airflow_armada.standalone.scheduling.retries import declined, evaluate, grown
from airflow_armada.standalone.store.event_messages import Failure

RETRY, FAIL = submit_pb2.RETRY_ACTION_RETRY, submit_pb2.RETRY_ACTION_FAIL
OOM = Failure("killed", category="oom", from_pod=True)
LOST_NODE = Failure("gone", category="internal", subcategory="node", from_pod=True)


def policy(*rules: Any, limit: int = 2, default: Any = FAIL) -> submit_pb2.RetryPolicy:
    return submit_pb2.RetryPolicy(name="p", retry_limit=limit, default_action=default, rules=rules)


def rule(action: Any, category: str, subcategory: str = "", **mutate: Any) -> submit_pb2.RetryRule:
    return submit_pb2.RetryRule(action=action, on_category=category, on_subcategory=subcategory, mutate=mutate)


@pytest.mark.parametrize(
    ("rules", "failure", "retried", "reason"),
    [
        ([rule(RETRY, "oom")], OOM, True, "matched rule: Retry"),
        ([rule(FAIL, "oom"), rule(RETRY, "oom")], OOM, False, "matched rule: Fail"),
        ([rule(RETRY, "OOM")], OOM, False, "no rule matched, using default action"),
        ([rule(RETRY, "internal", "disk")], LOST_NODE, False, "no rule matched, using default action"),
        ([rule(RETRY, "internal", "node")], LOST_NODE, True, "matched rule: Retry"),
        ([rule(RETRY, "internal")], LOST_NODE, True, "matched rule: Retry"),
    ],
)
def test_the_first_rule_that_matches_decides(rules: Any, failure: Failure, retried: bool, reason: str) -> None:
    verdict = evaluate(policy(*rules), failure, failures=1, most=5)

    assert (verdict.retry, verdict.reason) == (retried, reason)


@pytest.mark.parametrize(
    ("failures", "most", "retried", "reason"),
    [
        (1, 5, True, "no rule matched, using default action"),
        (2, 5, True, "no rule matched, using default action"),
        (3, 5, False, "policy retry limit exceeded (2/2)"),
        (2, 1, False, "global max retries exceeded (1/1)"),
        (1, 0, False, "global max retries is 0, retries disabled"),
    ],
)
def test_retries_are_counted_by_the_policy_and_in_all(failures: int, most: int, retried: bool, reason: str) -> None:
    verdict = evaluate(policy(default=RETRY), OOM, failures, most)

    assert (verdict.retry, verdict.reason) == (retried, reason)


def test_the_end_of_a_job_tells_the_verdict_and_the_last_error_in_its_text_only() -> None:
    status = event_pb2.ContainerStatus(name="main", exitCode=3, message="boom")
    failure = Failure("Container main failed", event_pb2.OOM, "oom", "", [status], from_pod=True)

    told = declined(failure, "matched rule: Fail")

    text = "Retry policy: matched rule: Fail\n\nFinal run error:\nContainer main failed\nmain exited with code 3: boom"
    assert told == Failure(text, category="oom")


@pytest.mark.parametrize(
    ("bump", "memory"),
    [({"factor": 1.5}, "1.5Gi"), ({"static": "512Mi"}, "1.5Gi"), ({"factor": 1.0000001}, "1073741932")],
)
def test_a_rule_may_give_every_container_more_memory(bump: dict[str, Any], memory: str) -> None:
    resources = core_v1_pb2.ResourceRequirements(requests={"memory": {"string": "1Gi"}, "cpu": {"string": "1"}})
    spec = core_v1_pb2.PodSpec(containers=[{"name": "a", "resources": resources}, {"name": "b"}])

    larger = grown(spec, submit_pb2.RetryResourceBump(**bump))

    wanted = str(int(1.5 * 2**30)) if memory == "1.5Gi" else memory
    assert larger.containers[0].resources.requests["memory"].string == wanted
    assert larger.containers[0].resources.requests["cpu"].string == "1"
    assert spec.containers[0].resources.requests["memory"].string == "1Gi"
    assert not larger.containers[1].resources.requests
