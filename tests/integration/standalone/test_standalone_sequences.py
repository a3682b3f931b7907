"""Each way in which a job can go, as its events tell it."""

from __future__ import annotations

import grpc
import pytest

from airflow_armada.api import event_pb2, methods, submit_pb2
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import (
    JOB_SET,
    QUEUE,
    Armada,
    container,
    events_of,
    job,
    kind_of,
    shell,
    wait_until,
)

STARTED = ["submitted", "queued", "leased", "pending", "running"]
WAITS_FOREVER = container("sleep", "1000")
PREEMPTIBLE = {"priorityClassName": "armada-preemptible"}
URGENT = {"priorityClassName": "armada-high-priority"}


def target(job_id: str) -> dict[str, object]:
    return {"queue": QUEUE, "job_set_id": JOB_SET, "job_ids": [job_id]}


def running(armada: Armada, *args: object, **fields: object) -> str:
    """Submit a job and return its id once it runs."""
    (job_id,) = armada.submit(job(*(args or (WAITS_FOREVER,)), **fields))
    armada.events_until(job_id, "running")
    return job_id


def test_a_job_that_ends_with_exit_code_0_succeeds(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true")))

    events = armada.events_until(job_id)

    assert [kind_of(event) for event in events] == [*STARTED, "succeeded"]
    assert armada.state(job_id) == "SUCCEEDED"
    assert all((event.queue, event.job_set_id) == (QUEUE, JOB_SET) for event in events)


def test_events_name_cluster_node_and_pod_where_armada_names_them(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true"), namespace="lab"))

    submitted, _, leased, pending, run, succeeded = armada.events_until(job_id)

    assert submitted.job.id == job_id
    assert (leased.cluster_id, leased.pool) == ("standalone", "default")
    assert (pending.pod_name, pending.pod_namespace) == (f"armada-{job_id}-0", "lab")
    assert pending.kubernetes_id == run.kubernetes_id != ""
    assert run.node_name == "standalone-node"
    assert (succeeded.cluster_id, succeeded.pod_name) == ("", "")


def test_a_non_zero_exit_code_fails_the_job_and_is_told(armada: Armada) -> None:
    (job_id,) = armada.submit(job(shell("exit 3"), container("true", name="sidekick")))

    failed = armada.end_of(job_id)

    codes = {status.name: (status.exitCode, status.reason) for status in failed.container_statuses}
    assert codes == {"main": (3, "Error"), "sidekick": (0, "Completed")}
    assert failed.cause == event_pb2.Error
    assert failed.reason == "Container main failed with exit code 3 because Error: \n"
    assert failed.pod_name == f"armada-{job_id}-0"
    assert not failed.retryable


def test_a_container_that_uses_more_memory_than_its_limit_is_killed(armada: Armada) -> None:
    hungry = container("python3", "-c", "x = bytearray(300_000_000); input() if 0 else __import__('time').sleep(1000)")
    (job_id,) = armada.submit(job(hungry))

    failed = armada.end_of(job_id)

    assert failed.cause == event_pb2.OOM
    (status,) = failed.container_statuses
    assert (status.exitCode, status.reason, status.cause) == (137, "OOMKilled", event_pb2.OOM)


def test_a_pod_that_fills_the_disk_is_evicted(armada: Armada) -> None:
    greedy = shell("head -c 3000000 /dev/urandom > file; sleep 1000")
    for amounts in (greedy.resources.requests, greedy.resources.limits):
        amounts["ephemeral-storage"].string = "1Mi"
    (job_id,) = armada.submit(job(greedy))

    failed = armada.end_of(job_id)

    assert failed.cause == event_pb2.Evicted
    assert "ephemeral" in failed.reason


def test_a_job_that_outlives_its_active_deadline_fails(armada: Armada) -> None:
    (job_id,) = armada.submit(job(WAITS_FOREVER, pod={"activeDeadlineSeconds": 1}))

    failed = armada.end_of(job_id)

    assert failed.cause == event_pb2.DeadlineExceeded
    assert failed.reason == "Pod was active on the node longer than the specified deadline"
    assert [status.exitCode for status in failed.container_statuses] == [143]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (container(), "container main has no command"),
        (container("true", envFrom=[{"secretRef": {"localObjectReference": {"name": "keys"}}}]), '"keys" not found'),
    ],
    ids=["no command", "missing secret"],
)
def test_a_container_that_cannot_be_started_fails_the_job_without_running(
    armada: Armada, spec: object, words: str
) -> None:
    (job_id,) = armada.submit(job(spec))

    *before, failed = armada.events_until(job_id)

    assert [kind_of(event) for event in before] == STARTED[:-1]
    assert failed.reason.startswith("Unable to start pod")
    assert words in failed.reason


def test_a_command_that_does_not_exist_is_a_start_error(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("no-such-command")))

    failed = armada.end_of(job_id)

    (status,) = failed.container_statuses
    assert (status.exitCode, status.reason) == (128, "StartError")
    assert "no-such-command" in status.message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (job(container("true", cpu="3")), "(memory=67108864,cpu=3,"),
        (job(container("true", memory="5Gi")), "exceeds the total limit of (memory=4294967296,cpu=2,"),
        (
            job(container("true"), pod={"nodeSelector": {"disk": "fast"}}),
            " 1: node does not match pod NodeSelector: label disk",
        ),
    ],
    ids=["cpu", "memory", "node selector"],
)
def test_a_job_that_can_never_fit_is_rejected(armada: Armada, spec: object, words: str) -> None:
    (job_id,) = armada.submit(spec)

    *before, failed = armada.events_until(job_id)

    assert [kind_of(event) for event in before] == ["submitted", "queued"]
    assert (failed.cause, failed.failure_category, failed.failure_subcategory) == (
        event_pb2.Rejected,
        "internal",
        "job-rejected",
    )
    assert words in failed.reason
    assert armada.state(job_id) == "REJECTED"
    errors = armada.call(methods.Jobs.GET_JOB_ERRORS, job_ids=[job_id]).job_errors
    assert errors[job_id] == failed.reason


def test_a_queued_job_is_cancelled(server: StandaloneArmada, armada: Armada) -> None:
    armada.call(methods.QueueService.CORDON_QUEUE, name=QUEUE)
    (job_id,) = armada.submit(job(WAITS_FOREVER))

    answer = armada.call(methods.Submit.CANCEL_JOBS, **target(job_id), reason="not needed")

    assert list(answer.cancelled_ids) == [job_id]
    assert armada.kinds_until(job_id) == ["submitted", "queued", "cancelling", "cancelled"]
    assert armada.state(job_id) == "CANCELLED"


def test_a_running_job_is_cancelled_and_its_pod_goes_away(armada: Armada) -> None:
    job_id = running(armada)

    armada.call(methods.Submit.CANCEL_JOBS, job_id=job_id, queue=QUEUE, job_set_id=JOB_SET)

    assert armada.kinds_until(job_id) == [*STARTED, "cancelling", "cancelled"]
    cancelled = armada.end_of(job_id)
    assert (cancelled.requestor, cancelled.reason) == ("anonymous", "")
    wait_until(lambda: armada.log_code(job_id) == grpc.StatusCode.NOT_FOUND)
    assert armada.details(job_id).cancel_user == "anonymous"


def test_no_job_ids_cancel_the_whole_job_set(armada: Armada) -> None:
    first, second = running(armada), running(armada)

    answer = armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id=JOB_SET)

    assert list(answer.cancelled_ids) == [""]
    for job_id in (first, second):
        assert armada.kinds_until(job_id)[-2:] == ["cancelling", "cancelled"]


def test_a_job_set_is_cancelled_by_state(armada: Armada) -> None:
    busy = running(armada, container("sleep", "1000", cpu="2"))
    (waiting,) = armada.submit(job(WAITS_FOREVER))

    armada.call(methods.Submit.CANCEL_JOB_SET, queue=QUEUE, job_set_id=JOB_SET, filter={"states": [submit_pb2.QUEUED]})
    armada.events_until(waiting, "cancelled")
    assert armada.state(busy) == "RUNNING"

    states = [submit_pb2.PENDING, submit_pb2.RUNNING]
    armada.call(methods.Submit.CANCEL_JOB_SET, queue=QUEUE, job_set_id=JOB_SET, filter={"states": states})
    assert kind_of(armada.end_of(busy)) == "cancelled"


def test_cancelling_what_has_ended_or_is_not_in_the_job_set_is_only_noted(armada: Armada) -> None:
    (done,) = armada.submit(job(container("true")))
    armada.end_of(done)
    busy = running(armada)

    armada.call(methods.Submit.CANCEL_JOBS, **target(done))
    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id="another", job_ids=[busy])

    assert armada.kinds_until(done, "cancelling") == [*STARTED, "succeeded", "cancelling"]
    assert armada.kinds_until(busy, "cancelling", job_set="another") == ["cancelling"]
    assert armada.state(busy) == "RUNNING"


def test_an_urgent_job_takes_the_place_of_a_preemptible_one(armada: Armada) -> None:
    victim = running(armada, container("sleep", "1000", cpu="2"), pod=PREEMPTIBLE)

    (winner,) = armada.submit(job(container("true", cpu="2"), pod=URGENT))

    *before, preempted, failed = armada.events_until(victim)
    assert [kind_of(event) for event in before] == STARTED
    assert kind_of(preempted) == "preempted"
    assert preempted.preempting_job_id == winner
    assert preempted.run_id == armada.details(victim).latest_run_id
    assert (
        failed.reason
        == preempted.reason
        == (f"Preempted by scheduler using urgency preemption - preempting job {winner}")
    )
    assert (failed.cluster_id, failed.pod_name, failed.cause) == ("", "", event_pb2.Error)
    assert armada.state(victim) == "PREEMPTED"
    assert kind_of(armada.end_of(winner)) == "succeeded"


def test_a_preemptible_job_is_preempted_by_request(armada: Armada) -> None:
    job_id = running(armada, pod=PREEMPTIBLE)

    answer = armada.call(methods.Submit.PREEMPT_JOBS, **target(job_id), reason="make room")

    assert dict(answer.preemption_results) == {job_id: ""}
    *before, preempting, preempted, failed = armada.events_until(job_id)
    assert [kind_of(event) for event in before] == STARTED
    assert (preempting.requestor, preempting.reason) == ("anonymous", "make room")
    assert preempted.reason == failed.reason == "Preempted by anonymous - make room"
    errors = armada.call(methods.Jobs.GET_JOB_ERRORS, job_ids=[job_id]).job_errors
    assert errors[job_id] == preempted.reason


def test_a_job_that_is_not_preemptible_is_not_preempted_by_request(armada: Armada) -> None:
    job_id = running(armada)

    armada.call(methods.Submit.PREEMPT_JOBS, **target(job_id))
    armada.call(methods.Submit.CANCEL_JOBS, **target(job_id))

    assert armada.kinds_until(job_id) == [*STARTED, "preempting", "cancelling", "cancelled"]


def test_a_job_is_reprioritized(server: StandaloneArmada, armada: Armada) -> None:
    armada.call(methods.QueueService.CORDON_QUEUE, name=QUEUE)
    (job_id,) = armada.submit(job(WAITS_FOREVER, priority=5))

    answer = armada.call(methods.Submit.REPRIORITIZE_JOBS, **target(job_id), new_priority=2)

    assert dict(answer.reprioritization_results) == {job_id: ""}
    *_, reprioritizing, reprioritized = armada.events_until(job_id, "reprioritized")
    assert (kind_of(reprioritizing), reprioritizing.new_priority) == ("reprioritizing", 2)
    assert reprioritized.new_priority == 2


def test_a_job_set_is_reprioritized_without_saying_so_first(armada: Armada) -> None:
    job_id = running(armada)

    answer = armada.call(methods.Submit.REPRIORITIZE_JOBS, queue=QUEUE, job_set_id=JOB_SET, new_priority=9)

    assert dict(answer.reprioritization_results) == {f"all jobs in job set {JOB_SET}": ""}
    assert armada.kinds_until(job_id, "reprioritized") == [*STARTED, "reprioritized"]


def test_a_returned_lease_is_followed_by_another_run(server: StandaloneArmada, armada: Armada) -> None:
    job_id = running(armada)
    first_run = armada.details(job_id).latest_run_id

    server.disruptions.return_lease(job_id, "no space left", run_attempted=True)
    wait_until(lambda: armada.state(job_id) == "RUNNING" and armada.details(job_id).latest_run_id != first_run)

    kinds = [kind for kind, _ in events_of(armada.watch(watch=False), job_id)]
    assert kinds == [*STARTED, "lease_returned", "leased", "pending", "running"]
    assert [run.state for run in armada.details(job_id).job_runs] == [3, 9]


def test_a_returned_lease_fails_a_job_that_asks_to_fail_fast(server: StandaloneArmada, armada: Armada) -> None:
    job_id = running(armada, annotations={"armadaproject.io/failFast": "true"})

    server.disruptions.return_lease(job_id, "no space left")

    *_, returned, failed = armada.events_until(job_id)
    assert returned.run_attempted
    assert (failed.failure_category, failed.failure_subcategory) == ("internal", "max-runs-exceeded")


def test_an_expired_lease_fails_the_job(server: StandaloneArmada, armada: Armada) -> None:
    job_id = running(armada)

    server.disruptions.expire_lease(job_id)

    *_, expired, failed = armada.events_until(job_id)
    assert kind_of(expired) == "lease_expired"
    assert failed.reason == "Lease expired"


def test_a_retryable_failure_is_followed_by_another_run(server: StandaloneArmada, armada: Armada) -> None:
    job_id = running(armada)

    server.disruptions.fail_run(job_id, "cosmic ray", "hardware")

    assert armada.kinds_until(job_id, "failed")[-1] == "failed"
    wait_until(lambda: len(armada.details(job_id).job_runs) == 2 and armada.state(job_id) == "RUNNING")


def test_ports_that_are_asked_for_are_told_with_their_address(armada: Armada) -> None:
    listening = container("sleep", "1000", ports=[{"containerPort": 8123}])
    (job_id,) = armada.submit(job(listening, ingress=[{"ports": [8123, 8124]}]))

    *_, info = armada.events_until(job_id, "ingress_info")

    assert dict(info.ingress_addresses) == {8123: "127.0.0.1:8123"}
