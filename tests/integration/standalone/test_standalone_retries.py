"""Retry policies at work: a failed run is told as retryable and the job is leased again, as long as its policy says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.api import methods, submit_pb2
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, kind_of, shell, wait_until

CATEGORIES = {
    "categories": [
        {"name": "oom", "rules": [{"onConditions": ["OOMKilled"]}]},
        {"name": "transient", "rules": [{"onExitCodes": {"operator": "In", "values": [75]}}]},
    ]
}
ONE_RUN = ["leased", "pending", "running", "failed"]


@pytest.fixture
def server() -> Iterator[StandaloneArmada]:
    config = Config(cycle=0.01, error_categories=CATEGORIES)
    with StandaloneArmada(cpus=2, memory="4Gi", config=config) as running:
        yield running


def follow_policy(armada: Armada, server: StandaloneArmada, *rules: Any, limit: int = 2) -> None:
    """Let the queue's jobs go by a policy."""
    fail = submit_pb2.RETRY_ACTION_FAIL
    call = methods.RetryPolicyService.CREATE_RETRY_POLICY
    armada.call(call, name="policy", retry_limit=limit, default_action=fail, rules=rules)
    server.create_queue(QUEUE, retry_policies=["policy"])


def retry(category: str, **mutate: Any) -> submit_pb2.RetryRule:
    return submit_pb2.RetryRule(action=submit_pb2.RETRY_ACTION_RETRY, on_category=category, mutate=mutate)


def fails_once(folder: Path) -> Any:
    """A job that succeeds when it runs a second time."""
    return job(shell(f"mkdir {folder}/tried 2>/dev/null && exit 75; exit 0"))


def test_a_job_that_is_retried_may_succeed(server: StandaloneArmada, armada: Armada, tmp_path: Path) -> None:
    follow_policy(armada, server, retry("transient"))

    (job_id,) = armada.submit(fails_once(tmp_path))

    events = armada.events_until(job_id)
    assert [kind_of(one) for one in events][2:] == [*ONE_RUN, "leased", "pending", "running", "succeeded"]
    assert [one.retryable for one in events if kind_of(one) == "failed"] == [True]
    assert armada.state(job_id) == "SUCCEEDED"
    assert [len(armada.details(job_id).job_runs), len({run.run_id for run in armada.details(job_id).job_runs})] == [
        2,
        2,
    ]


def test_the_first_failed_run_is_told_with_all_that_is_known_of_its_pod(
    server: StandaloneArmada, armada: Armada, tmp_path: Path
) -> None:
    follow_policy(armada, server, retry("transient"))

    (job_id,) = armada.submit(fails_once(tmp_path))

    (failed,) = armada.events_until(job_id, "failed")[-1:]
    assert (failed.failure_category, failed.container_statuses[0].exitCode, failed.node_name) == (
        "transient",
        75,
        "standalone-node",
    )


def test_a_gang_is_not_retried(server: StandaloneArmada, armada: Armada) -> None:
    follow_policy(armada, server, retry("transient"))
    names = {"armadaproject.io/gangId": "g", "armadaproject.io/gangCardinality": "2"}

    ids = armada.submit(*[job(shell("exit 75"), annotations=names)] * 2)

    assert [armada.end_of(job_id).retryable for job_id in ids] == [False, False]


def test_an_oom_may_be_answered_with_more_memory(server: StandaloneArmada, armada: Armada) -> None:
    follow_policy(armada, server, retry("oom", resources={"memory": {"factor": 8}}))
    hungry = "x = bytearray(150_000_000); import time; time.sleep(3)"

    (job_id,) = armada.submit(job(container("python3", "-c", hungry, memory="64Mi")))

    assert armada.kinds_until(job_id)[2:] == [*ONE_RUN, "leased", "pending", "running", "succeeded"]
    spec = armada.details(job_id).job_spec
    assert spec.pod_spec.containers[0].resources.limits["memory"].string == "64Mi"


@pytest.mark.parametrize(
    ("mutate", "reason"),
    [
        (
            {"resources": {"memory": {"static": "1Ti"}}},
            "retry granted, but the job grown by the rule's memory bump fits no node",
        ),
        ({"affinity": {"avoid_same_node": True}}, "retry granted, but no untried node fits the job"),
    ],
)
def test_a_retry_that_has_no_place_is_not_made(
    server: StandaloneArmada, armada: Armada, mutate: dict[str, Any], reason: str
) -> None:
    follow_policy(armada, server, retry("transient", **mutate))

    (job_id,) = armada.submit(job(shell("exit 75")))

    assert armada.kinds_until(job_id)[2:] == ONE_RUN
    assert armada.end_of(job_id).reason.startswith(f"Retry policy: {reason}\n\nFinal run error:\n")


def test_a_lost_cluster_is_a_failure_that_a_policy_may_answer(server: StandaloneArmada, armada: Armada) -> None:
    follow_policy(armada, server, retry("internal"), limit=1)
    (job_id,) = armada.submit(job(container("sleep", "1000")))
    armada.kinds_until(job_id, "running")

    server.disruptions.expire_lease(job_id)
    kinds = armada.kinds_until(job_id, "failed")
    assert kinds[-2:] == ["lease_expired", "failed"]
    wait_until(lambda: armada.state(job_id) == "RUNNING")
    server.disruptions.expire_lease(job_id)

    last = armada.end_of(job_id)
    assert last.reason == "Lease expired and not retried by policy: policy retry limit exceeded (1/1)"
    assert not last.retryable


def test_a_job_that_is_cancelled_between_two_runs_gets_no_other(server: StandaloneArmada, armada: Armada) -> None:
    follow_policy(armada, server, retry("transient"), limit=5)
    (job_id,) = armada.submit(job(shell("sleep 0.2; exit 75")))
    armada.kinds_until(job_id, "running")
    server.call(lambda engine: setattr(engine.scheduler, "cordoned", True))
    armada.kinds_until(job_id, "failed")

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_ids=[job_id])

    assert armada.kinds_until(job_id)[-2:] == ["cancelling", "cancelled"]
    assert armada.state(job_id) == "CANCELLED"


@pytest.mark.parametrize(
    ("bump", "text"),
    [
        ({}, "set exactly one of static and factor"),
        ({"static": "1Gi", "factor": 2}, "set exactly one of static and factor, not both"),
        ({"factor": 1}, "factor 1 must be greater than 1.0"),
        ({"static": "-1Gi"}, 'static quantity "-1Gi" must be positive'),
        ({"static": "much"}, 'invalid static quantity "much"'),
    ],
)
def test_a_bump_that_makes_no_sense_is_refused(armada: Armada, bump: dict[str, Any], text: str) -> None:
    code, details = armada.refused(
        methods.RetryPolicyService.CREATE_RETRY_POLICY,
        name="policy",
        default_action=submit_pb2.RETRY_ACTION_FAIL,
        rules=[retry("oom", resources={"memory": bump})],
    )

    assert code.name == "INVALID_ARGUMENT"
    assert f"mutate.resources.memory: {text}" in details
