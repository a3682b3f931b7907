"""What administrators do to an executor or a node and to the jobs on it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from airflow_armada.api import methods
from tests.integration.standalone.api import QUEUE, Armada, container, job

CLUSTER, NODE = "standalone", "standalone-node"
CALLS = {
    "preempt on executor": (methods.Executor.PREEMPT_ON_EXECUTOR, {"name": CLUSTER}, ["preempted", "failed"]),
    "cancel on executor": (methods.Executor.CANCEL_ON_EXECUTOR, {"name": CLUSTER}, ["running", "cancelled"]),
    "preempt on node": (methods.Node.PREEMPT_ON_NODE, {"name": NODE, "executor": CLUSTER}, ["preempted", "failed"]),
    "cancel on node": (methods.Node.CANCEL_ON_NODE, {"name": NODE, "executor": CLUSTER}, ["running", "cancelled"]),
}


@pytest.mark.parametrize(("method", "where", "ends"), CALLS.values(), ids=CALLS)
def test_the_jobs_of_the_named_queues_and_classes_end(
    armada: Armada, method: Any, where: dict[str, str], ends: list[str]
) -> None:
    named, other = armada.submit(
        job(container("sleep", "1000"), pod={"priorityClassName": "armada-preemptible"}),
        job(container("sleep", "1000")),
    )
    for job_id in (named, other):
        armada.events_until(job_id, "running")

    armada.call(method, **where)
    armada.call(method, **where, queues=["another"])
    armada.call(method, **where, queues=[QUEUE], priorityClasses=["armada-preemptible"])

    assert armada.kinds_until(named)[-2:] == ends
    assert armada.state(other) == "RUNNING"


def test_a_cordoned_executor_takes_no_new_jobs_until_it_is_uncordoned(armada: Armada) -> None:
    settings = methods.Executor.UPSERT_EXECUTOR_SETTINGS
    code, _ = armada.refused(settings, name=CLUSTER, cordoned=True)
    assert code == grpc.StatusCode.UNKNOWN

    armada.call(settings, name=CLUSTER, cordoned=True, cordonReason="maintenance")
    (job_id,) = armada.submit(job(container("true")))
    armada.events_until(job_id, "queued")
    armada.call(settings, name="elsewhere", cordoned=False)
    assert armada.state(job_id) == "QUEUED"

    armada.call(methods.Executor.DELETE_EXECUTOR_SETTINGS, name=CLUSTER)
    assert armada.kinds_until(job_id)[-1] == "succeeded"
