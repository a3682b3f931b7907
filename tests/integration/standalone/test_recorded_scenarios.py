"""The scenarios that were recorded on the real control plane, played again: the embedded Armada tells the same of them.

``tests/recorded/sequences`` holds a scenario each. Compared are, for each job, the kinds of its events in their order,
which fields they set, and their texts; places, times and ids are those of the day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from airflow_armada.api import core_v1_pb2, methods, submit_pb2
from airflow_armada.standalone.config import Config, Provided
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import Armada, container, job, kind_of, mounts_work, shell, wait_until

SEQUENCES = Path(__file__).parents[2] / "recorded" / "sequences"
QUEUE, OTHER_QUEUE, CORDONED = "seq", "seqb", "seqcord"
RETRIED_QUEUE, PLAIN_QUEUE = "retryq", "plainq"
FOREVER = container("sleep", "1000")
PREEMPTIBLE = {"priorityClassName": "armada-preemptible"}
UNKNOWN = "01hzzzzzzzzzzzzzzzzzzzzzzz"


@pytest.fixture(scope="module")
def server() -> Iterator[StandaloneArmada]:
    config = Config(cycle=0.01, provided=Provided(namespaces=frozenset({"default"})))
    with StandaloneArmada(cpus=16, memory="64Gi", config=config) as running:
        for name in (QUEUE, OTHER_QUEUE, CORDONED):
            running.create_queue(name)
        yield running


@pytest.fixture(scope="module")
def categorizing() -> Iterator[StandaloneArmada]:
    """As the real one was set up for the scenarios of retry policies."""
    rule = {"onExitCodes": {"operator": "In", "values": [75]}, "subcategory": "tempfail", "hint": "try again later"}
    categories = {"categories": [{"name": "transient", "rules": [rule]}]}
    with StandaloneArmada(cpus=16, memory="64Gi", config=Config(cycle=0.01, error_categories=categories)) as running:
        rules = [submit_pb2.RetryRule(action=submit_pb2.RETRY_ACTION_RETRY, on_category="transient")]
        Armada(running.target).call(
            methods.RetryPolicyService.CREATE_RETRY_POLICY,
            name="twice",
            retry_limit=2,
            default_action=submit_pb2.RETRY_ACTION_FAIL,
            rules=rules,
        )
        running.create_queue(RETRIED_QUEUE, retry_policies=["twice"])
        running.create_queue(PLAIN_QUEUE)
        yield running


class Stage:
    """Plays scenarios, each in a job set of its own.

    :param name: of the job set
    :param folder: for what jobs wait for
    """

    def __init__(self, server: StandaloneArmada, name: str, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.armada = Armada(server.target)
        self.job_set = name
        self.queue = QUEUE
        self.ids: list[str] = []

    def submit(self, *jobs: Any) -> None:
        """Submit jobs and wait for nothing."""
        self.ids += self.armada.submit(*jobs, queue=self.queue, job_set=self.job_set)

    def run(self, *jobs: Any) -> None:
        """Submit jobs and wait until they run."""
        self.submit(*jobs)
        wait_until(lambda: all("running" in self.kinds(job_id) for job_id in self.ids))

    def call(self, method: Any, *job_ids: str, **fields: Any) -> None:
        """Call a method of ``api.Submit`` on some jobs, by default on the first."""
        ids = job_ids or self.ids[:1]
        self.armada.call(method, queue=self.queue, job_set_id=self.job_set, job_ids=ids, **fields)

    def events(self, job_id: str) -> list[Any]:
        stream = self.armada.call(methods.Event.GET_JOB_SET_EVENTS, queue=self.queue, id=self.job_set)
        messages = [getattr(one.message, one.message.WhichOneof("events")) for one in stream]
        return [message for message in messages if message.job_id == job_id]

    def kinds(self, job_id: str) -> list[str]:
        return [kind_of(event) for event in self.events(job_id)]

    def ended(self) -> bool:
        jobs = self.server.jobs
        return all(jobs[job_id].finished for job_id in self.ids)


def exits(code: int, script: str = "") -> Any:
    return job(shell(f"{script}exit {code}"))


def gang(stage: Stage, count: int, *, of: int = 2, pod: dict[str, Any] | None = None, command: Any = None) -> list[Any]:
    names = {"armadaproject.io/gangId": f"g{stage.job_set}", "armadaproject.io/gangCardinality": str(of)}
    return [job(command or container("sleep", "0.3"), annotations=names, pod=pod)] * count


def success(stage: Stage) -> None:
    stage.submit(job(container("true")))


def success_annotated(stage: Stage) -> None:
    names = {"labels": {"app": "x", "jid": "{JobId}"}, "annotations": {"note": "{JobId}"}}
    stage.submit(job(container("true"), external_job_uri="x://1", client_id="a" * 32, priority=3.4, **names))


def exit3(stage: Stage) -> None:
    stage.submit(exits(3))


def exit3_message(stage: Stage) -> None:
    stage.submit(exits(3, "printf boom > /dev/termination-log; "))


def oom(stage: Stage) -> None:
    hungry = "x = bytearray(300_000_000); import time; time.sleep(1000)"
    stage.submit(job(container("python3", "-c", hungry, memory="64Mi")))


def evict(stage: Stage) -> None:
    stage.run(job(FOREVER))
    used = "Container main was using 1Gi, which exceeds its request of 0."
    stage.server.disruptions.evict(stage.ids[0], f"The node was low on resource: memory. {used}")


def deadline(stage: Stage) -> None:
    stage.submit(job(FOREVER, pod={"activeDeadlineSeconds": 1}))


def rejected_selector(stage: Stage) -> None:
    stage.submit(job(container("true"), pod={"nodeSelector": {"disk": "fast"}}))


def rejected_cpu(stage: Stage) -> None:
    stage.submit(job(container("true", cpu="100000")))


def rejected_memory(stage: Stage) -> None:
    stage.submit(job(container("true", memory="100000Gi")))


def cancel_running(stage: Stage) -> None:
    stage.run(job(FOREVER))
    stage.call(methods.Submit.CANCEL_JOBS, reason="not needed")


def cancel_queued(stage: Stage) -> None:
    stage.queue = CORDONED
    stage.armada.call(methods.QueueService.CORDON_QUEUE, name=CORDONED)
    stage.submit(job(FOREVER))
    stage.call(methods.Submit.CANCEL_JOBS, reason="not needed")


def cancel_jobset(stage: Stage) -> None:
    stage.run(job(FOREVER), job(FOREVER))
    stage.armada.call(methods.Submit.CANCEL_JOB_SET, queue=QUEUE, job_set_id=stage.job_set, reason="set")


def cancel_on_queue(stage: Stage) -> None:
    stage.queue = OTHER_QUEUE
    stage.run(job(FOREVER))
    active = [submit_pb2.RUNNING, submit_pb2.PENDING, submit_pb2.LEASED, submit_pb2.QUEUED]
    stage.armada.call(methods.QueueService.CANCEL_ON_QUEUE, name=OTHER_QUEUE, jobStates=active)


def preempt_request(stage: Stage) -> None:
    stage.run(job(FOREVER, pod=PREEMPTIBLE))
    stage.call(methods.Submit.PREEMPT_JOBS, reason="make room")


def preempt_request_noreason(stage: Stage) -> None:
    stage.run(job(FOREVER, pod=PREEMPTIBLE))
    stage.call(methods.Submit.PREEMPT_JOBS)


def preempt_nonpreemptible(stage: Stage) -> None:
    flag = stage.folder / stage.job_set
    stage.run(job(shell(f"until [ -e {flag} ]; do sleep 0.05; done")))
    stage.call(methods.Submit.PREEMPT_JOBS, reason="make room")
    flag.touch()


def preempt_on_queue(stage: Stage) -> None:
    stage.queue = OTHER_QUEUE
    stage.run(job(FOREVER, pod=PREEMPTIBLE))
    stage.armada.call(methods.QueueService.PREEMPT_ON_QUEUE, name=OTHER_QUEUE)


def preempt_queued(stage: Stage) -> None:
    stage.queue = CORDONED
    stage.armada.call(methods.QueueService.CORDON_QUEUE, name=CORDONED)
    stage.submit(job(FOREVER, pod=PREEMPTIBLE))
    stage.call(methods.Submit.PREEMPT_JOBS, reason="r")
    stage.call(methods.Submit.CANCEL_JOBS)


def preempt_gang(stage: Stage) -> None:
    stage.run(*gang(stage, 2, pod=PREEMPTIBLE, command=FOREVER))
    stage.call(methods.Submit.PREEMPT_JOBS, reason="one")


def reprioritize_running(stage: Stage) -> None:
    flag = stage.folder / stage.job_set
    stage.run(job(shell(f"until [ -e {flag} ]; do sleep 0.05; done"), priority=5))
    stage.call(methods.Submit.REPRIORITIZE_JOBS, new_priority=7)
    wait_until(lambda: "reprioritized" in stage.kinds(stage.ids[0]))
    stage.call(methods.Submit.REPRIORITIZE_JOBS, new_priority=7)
    flag.touch()


def unknown_ids(stage: Stage) -> None:
    stage.submit(job(container("true")))
    stage.call(methods.Submit.CANCEL_JOBS, UNKNOWN)
    stage.call(methods.Submit.PREEMPT_JOBS, UNKNOWN)
    stage.call(methods.Submit.REPRIORITIZE_JOBS, UNKNOWN, new_priority=3)


def gang_success(stage: Stage) -> None:
    stage.submit(*gang(stage, 2))


def gang_extra_member(stage: Stage) -> None:
    flag = stage.folder / stage.job_set
    stage.run(*gang(stage, 2, command=shell(f"until [ -e {flag} ]; do sleep 0.05; done")))
    stage.submit(*gang(stage, 1))
    wait_until(lambda: "failed" in stage.kinds(stage.ids[2]))
    flag.touch()


def gang_three_of_two(stage: Stage) -> None:
    stage.submit(*gang(stage, 3))


def gang_toobig(stage: Stage) -> None:
    stage.submit(*gang(stage, 1000, of=1000, command=container("true", cpu="1")))


def service_nodeport(stage: Stage) -> None:
    served = container("true", ports=[core_v1_pb2.ContainerPort(containerPort=8000)])
    stage.submit(job(served, services=[submit_pb2.ServiceConfig(type=submit_pb2.NodePort, ports=[8000])]))


def ingress(stage: Stage) -> None:
    served = container("true", ports=[core_v1_pb2.ContainerPort(containerPort=8000)])
    stage.submit(job(served, ingress=[submit_pb2.IngressConfig(ports=[8000])]))


def lease_expired(stage: Stage) -> None:
    stage.run(job(FOREVER))
    stage.server.disruptions.expire_lease(stage.ids[0])


def category_no_policy(stage: Stage) -> None:
    stage.queue = PLAIN_QUEUE
    stage.submit(exits(75))


def retry_policy_declines(stage: Stage) -> None:
    stage.queue = RETRIED_QUEUE
    stage.submit(exits(3))


def retry_policy_exhausted(stage: Stage) -> None:
    stage.queue = RETRIED_QUEUE
    stage.submit(exits(75))


def retry_policy_failfast(stage: Stage) -> None:
    stage.queue = RETRIED_QUEUE
    stage.submit(job(shell("exit 75"), annotations={"armadaproject.io/failFast": "true"}))


def sim_invalidimage(stage: Stage) -> None:
    misspelt = container("true")
    misspelt.image = "https://nope"
    stage.submit(job(misspelt))


def sim_submit_forbidden(stage: Stage) -> None:
    quota = "exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10"
    stage.server.faults.refuse_pods = f'pods "armada-{UNKNOWN}-0" is forbidden: {quota}'
    stage.submit(job(container("true")))


def sim_submit_webhook(stage: Stage) -> None:
    denied = 'admission webhook "policy.example" denied the request: image not allowed'
    stage.server.faults.refuse_pods = f"Internal error occurred: {denied}"
    stage.submit(job(container("true")))


def sim_submit_namespace(stage: Stage) -> None:
    stage.submit(job(container("true"), namespace="nowhere"))


def sim_submit_timeout_always(stage: Stage) -> None:
    stage.server.faults.return_pods = "Timeout: etcdserver: request timed out"
    stage.submit(job(container("true")))


def sim_submit_timeout_failfast(stage: Stage) -> None:
    stage.server.faults.return_pods = "Timeout: etcdserver: request timed out"
    stage.submit(job(container("true"), annotations={"armadaproject.io/failFast": "true"}))


WITH_CATEGORIES = (category_no_policy, retry_policy_declines, retry_policy_exhausted, retry_policy_failfast)
"""Played on a server that gives failures categories."""

SCENARIOS: dict[str, Callable[[Stage], None]] = {
    play.__name__: play
    for play in (
        success,
        success_annotated,
        exit3,
        exit3_message,
        oom,
        evict,
        deadline,
        rejected_selector,
        rejected_cpu,
        rejected_memory,
        cancel_running,
        cancel_queued,
        cancel_jobset,
        cancel_on_queue,
        preempt_request,
        preempt_request_noreason,
        preempt_nonpreemptible,
        preempt_on_queue,
        preempt_queued,
        preempt_gang,
        reprioritize_running,
        unknown_ids,
        gang_success,
        gang_extra_member,
        gang_three_of_two,
        gang_toobig,
        service_nodeport,
        ingress,
        lease_expired,
        sim_invalidimage,
        sim_submit_forbidden,
        sim_submit_webhook,
        sim_submit_namespace,
        sim_submit_timeout_always,
        sim_submit_timeout_failfast,
        *WITH_CATEGORIES,
    )
}


def facts(events: list[dict[str, Any]]) -> list[tuple[str, list[str], str]]:
    """Return kind, set fields and text of each event of a job."""
    return [(event["kind"], sorted(event.keys() - {"recv", "id", "kind"}), text(event)) for event in events]


def text(event: dict[str, Any]) -> str:
    """Return an event's reason without the numbers and ids of the day."""
    reason = event.get("reason", "").replace('namespaces "nowhere"', 'namespaces "default"')
    return re.sub(r"01[0-9a-z]{24}|\([a-z=0-9,./-]+\)|\d+", "N", reason)


def told(event: Any) -> dict[str, Any]:
    return {"kind": kind_of(event), **MessageToDict(event, preserving_proto_field_name=True)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scenario_is_told_as_by_the_real_one(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    play = SCENARIOS[name]
    if play is exit3_message and not mounts_work():
        pytest.skip("this user cannot have mounts of its own")
    server = request.getfixturevalue("categorizing" if play in WITH_CATEGORIES else "server")
    stage = Stage(server, name, tmp_path)
    play(stage)
    wait_until(stage.ended)
    server.faults.clear()

    real = json.loads((SEQUENCES / f"{name}.json").read_text("utf-8"))
    ours = [
        facts([told(event) for event in stage.events(job_id)]) for job_id in (*stage.ids[: len(real["ids"])], UNKNOWN)
    ]
    theirs = [
        facts([event for event in real["events"] if event["job_id"] == job_id]) for job_id in (*real["ids"], UNKNOWN)
    ]

    assert sorted(ours) == sorted(theirs)


def test_every_recorded_scenario_is_played() -> None:
    # Its executor loses sight of the pod and finds it again, on and on, until somebody cancels the job.
    not_played = {"sim_pod_vanished"}

    assert {path.stem for path in SEQUENCES.glob("*.json")} == SCENARIOS.keys() | not_played
