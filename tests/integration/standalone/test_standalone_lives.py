"""Whole lives of jobs, written down in ``lives.yaml``: submitted, perhaps disturbed, and what is told of each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_armada.api import methods
from airflow_armada.api.methods import Method
from airflow_armada.standalone.config import CLUSTER, NODE, Config, Provided
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada, container, job, kind_of, shell, wait_until

LIVES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("lives.yaml").read_text("utf-8"))
CATEGORIES = {
    "categories": [
        {"name": "oom", "rules": [{"onConditions": ["OOMKilled"]}]},
        {"name": "user-error", "rules": [{"onExitCodes": {"operator": "NotIn", "values": [128]}}]},
    ]
}
GANG = {"armadaproject.io/gangId": "ID", "armadaproject.io/gangCardinality": "SIZE"}


@pytest.fixture(scope="module")
def server() -> Iterator[StandaloneArmada]:
    labels = {**Config().node_labels, "pool": "special"}
    provided = Provided(namespaces=frozenset({"default"}))
    config = Config(cycle=0.05, node_labels=labels, provided=provided, error_categories=CATEGORIES)
    with StandaloneArmada(cpus=16, memory="64Gi", config=config) as running:
        running.create_queue(QUEUE)
        yield running


def jobs_of(life: dict[str, Any]) -> list[Any]:
    """Return the jobs of one request."""
    memory = life.get("memory", "64Mi")
    main = container(*life["command"], memory=memory) if "command" in life else shell(life["run"], memory=memory)
    main.image = life.get("image", main.image)
    pod = {"nodeSelector": life.get("node_selector", {}), "priorityClassName": life.get("priority_class", "")}
    fields: dict[str, Any] = {"namespace": life.get("namespace", "default")}
    count = life.get("jobs", 1)
    if "gang" in life:
        fields["annotations"] = dict(zip(GANG, (life["gang"], str(count)), strict=True))
        paths = {name: f"metadata.annotations['{key}']" for key, name in GANG.items()}
        for name, path in paths.items():
            main.env.add(name=name, valueFrom={"fieldRef": {"fieldPath": path}})
    ids = [uuid.uuid4().hex if life.get("client_ids") else "" for _ in range(count)]
    return [job(main, pod=pod, client_id=client_id, **fields) for client_id in ids]


def disturb(armada: Armada, what: str, job_set: str, ids: list[str]) -> None:
    """Do something to jobs."""
    submit, node = methods.Submit, methods.Node
    here = {"queue": QUEUE, "job_set_id": job_set}
    there = {"name": NODE, "executor": CLUSTER, "queues": [QUEUE]}
    calls: dict[str, tuple[Method[Any, Any], dict[str, Any]]] = {
        "cancel": (submit.CANCEL_JOBS, {**here, "job_ids": ids}),
        "cancel the job set": (submit.CANCEL_JOB_SET, here),
        "preempt": (submit.PREEMPT_JOBS, {**here, "job_ids": ids, "reason": "room for others"}),
        "reprioritize": (submit.REPRIORITIZE_JOBS, {**here, "job_ids": ids, "new_priority": 100}),
        "reprioritize the job set": (submit.REPRIORITIZE_JOBS, {**here, "new_priority": 100}),
        "cancel on the node": (node.CANCEL_ON_NODE, there),
        "preempt on the node": (node.PREEMPT_ON_NODE, there),
    }
    method, fields = calls[what]
    armada.call(method, **fields)


@pytest.mark.parametrize("life", [pytest.param(life, id=life["name"]) for life in LIVES])
def test_jobs(server: StandaloneArmada, life: dict[str, Any]) -> None:
    armada, job_set = Armada(server.target), life["name"]
    ids = [one for _ in range(life.get("requests", 1)) for one in armada.submit(*jobs_of(life), job_set=job_set)]

    if "do" in life:
        for job_id in ids:
            armada.events_until(job_id, life["when"], job_set=job_set)
        disturb(armada, life["do"], job_set, ids)

    for job_id in ids:
        events = armada.events_until(job_id, life["told"][-1], job_set=job_set)
        told = iter([kind_of(event) for event in events])
        assert all(kind in told for kind in life["told"]), f"{life['told']} is not told of {job_id}"
        assert life.get("reason", "") in getattr(events[-1], "reason", "")
        assert life.get("category", "") in getattr(events[-1], "failure_category", "")
    if "then" in life:
        disturb(armada, life["then"], job_set, ids)
    armada.call(methods.Submit.CANCEL_JOB_SET, queue=QUEUE, job_set_id=job_set)


def test_a_queue_is_active_while_a_job_of_it_runs(server: StandaloneArmada) -> None:
    armada = Armada(server.target)
    server.create_queue("busy")
    (job_id,) = armada.submit(job(container("sleep", "100")), queue="busy", job_set="busy")

    def active() -> list[str]:
        return list(armada.call(methods.Jobs.GET_ACTIVE_QUEUES).active_queues_by_pool["default"].queues)

    wait_until(lambda: armada.state(job_id) == "RUNNING")
    assert "busy" in active()
    armada.call(methods.Submit.CANCEL_JOBS, queue="busy", job_set_id="busy", job_ids=[job_id])
    wait_until(lambda: armada.state(job_id) == "CANCELLED")
    assert "busy" not in active()
