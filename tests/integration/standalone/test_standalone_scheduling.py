"""Who runs first, who makes room for whom, and what the scheduler says about those who wait."""

from __future__ import annotations

import grpc

from airflow_armada.api import methods
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada, container, job, wait_until

GANG = {"armadaproject.io/gangId": "pair", "armadaproject.io/gangCardinality": "2"}
WHOLE_MACHINE = {"cpu": "2"}


def leased_in_order(armada: Armada) -> list[str]:
    """Return the ids of all jobs in the order in which they got their turn."""
    return [message.message.leased.job_id for message in armada.replay() if message.message.HasField("leased")]


def in_one_go(armada: Armada, *jobs: object) -> list[str]:
    """Submit jobs that are all there when the scheduler first looks."""
    armada.call(methods.QueueService.CORDON_QUEUE, name=QUEUE)
    ids = armada.submit(*jobs)
    armada.call(methods.QueueService.UNCORDON_QUEUE, name=QUEUE)
    return ids


def test_low_priority_values_go_first_and_equals_in_the_order_of_submission(armada: Armada) -> None:
    ids = in_one_go(armada, *[job(container("true", **WHOLE_MACHINE), priority=value) for value in (3, 1, 2, 1)])
    for job_id in ids:
        armada.end_of(job_id)

    assert leased_in_order(armada) == [ids[1], ids[3], ids[2], ids[0]]


def test_urgent_classes_go_first(armada: Armada) -> None:
    classes = ("armada-preemptible", "armada-default", "armada-high-priority")
    ids = in_one_go(
        armada, *[job(container("true", **WHOLE_MACHINE), pod={"priorityClassName": name}) for name in classes]
    )
    for job_id in ids:
        armada.end_of(job_id)

    assert leased_in_order(armada) == ids[::-1]


def test_a_small_job_passes_a_large_one_that_does_not_fit(armada: Armada) -> None:
    busy, large, small = armada.submit(
        job(container("sleep", "1000", cpu="1")),
        job(container("true", **WHOLE_MACHINE)),
        job(container("true", cpu="1")),
    )

    armada.end_of(small)

    assert armada.state(large) == "QUEUED"
    assert armada.state(busy) == "RUNNING"


def test_requests_never_exceed_the_machine(server: StandaloneArmada, armada: Armada) -> None:
    armada.submit(*[job(container("sleep", "1000", cpu="700m")) for _ in range(5)])

    wait_until(lambda: sum(armada.state(job_id) == "RUNNING" for job_id in server.jobs) == 2)

    assert [armada.state(job_id) for job_id in server.jobs].count("QUEUED") == 3


def test_a_gang_starts_when_it_is_complete(armada: Armada) -> None:
    (first,) = armada.submit(job(container("true"), annotations=GANG))
    (marker,) = armada.submit(job(container("true")))
    armada.end_of(marker)
    assert armada.state(first) == "QUEUED"

    (second,) = armada.submit(job(container("true"), annotations=GANG))

    for job_id in (first, second):
        assert armada.kinds_until(job_id)[-1] == "succeeded"


def test_a_gang_waits_until_all_of_it_fits(armada: Armada) -> None:
    (busy,) = armada.submit(job(container("sleep", "1000", cpu="1")))
    gang = armada.submit(*[job(container("true", cpu="1"), annotations=GANG)] * 2)
    (marker,) = armada.submit(job(container("true")))
    armada.end_of(marker)
    assert [armada.state(job_id) for job_id in gang] == ["QUEUED", "QUEUED"]

    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id="nightly", job_ids=[busy])

    for job_id in gang:
        assert armada.kinds_until(job_id)[-1] == "succeeded"


def test_a_gang_that_already_runs_takes_no_more_members(armada: Armada) -> None:
    for job_id in armada.submit(*[job(container("sleep", "1000"), annotations=GANG)] * 2):
        armada.events_until(job_id, "running")

    (late,) = armada.submit(job(container("true"), annotations=GANG))

    assert "gang pair" in armada.end_of(late).reason


def test_a_gang_is_preempted_whole(armada: Armada) -> None:
    preemptible = {"priorityClassName": "armada-preemptible"}
    gang = armada.submit(*[job(container("sleep", "1000", cpu="1"), annotations=GANG, pod=preemptible)] * 2)
    for job_id in gang:
        armada.events_until(job_id, "running")

    armada.submit(job(container("true", cpu="1")))

    for job_id in gang:
        assert armada.kinds_until(job_id)[-2:] == ["preempted", "failed"]


def test_the_newest_preemptible_job_makes_room_and_no_more_than_needed(armada: Armada) -> None:
    preemptible = {"priorityClassName": "armada-preemptible"}
    ids = []
    for _ in range(2):
        ids += armada.submit(job(container("sleep", "1000", cpu="1"), pod=preemptible))
        armada.events_until(ids[-1], "running")

    (winner,) = armada.submit(job(container("true", cpu="1")))

    assert armada.end_of(winner)
    assert [armada.state(job_id) for job_id in ids] == ["RUNNING", "PREEMPTED"]


def test_queues_share_by_their_weight(server: StandaloneArmada, armada: Armada) -> None:
    server.create_queue("biology")
    armada.submit(*[job(container("sleep", "1000", cpu="1")) for _ in range(4)])
    (other,) = armada.submit(job(container("true", cpu="1")), queue="biology")
    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id="nightly", job_ids=leased_in_order(armada)[:1])

    wait_until(lambda: armada.state(other) == "SUCCEEDED")


def test_a_cordoned_queue_waits_until_it_is_uncordoned(armada: Armada) -> None:
    armada.call(methods.QueueService.CORDON_QUEUE, name=QUEUE)
    (job_id,) = armada.submit(job(container("true")))
    assert "the queue is cordoned" in why(armada, job_id)

    armada.call(methods.QueueService.UNCORDON_QUEUE, name=QUEUE)

    assert armada.kinds_until(job_id)[-1] == "succeeded"


def why(armada: Armada, job_id: str) -> str:
    """Return the scheduler's report on a job."""
    return str(armada.call(methods.SchedulerReporting.GET_JOB_REPORT, job_id=job_id).report)


def test_the_report_on_a_waiting_job_says_what_it_lacks(armada: Armada) -> None:
    (busy,) = armada.submit(job(container("sleep", "1000", cpu="1500m")))
    armada.events_until(busy, "running")
    first, second = armada.submit(*[job(container("true", cpu="1"))] * 2)

    wait_until(lambda: "requests" in why(armada, second))

    assert why(armada, second) == (
        f"Job {second} waits in queue {QUEUE}: it requests 1 cpu, of which 0.5 cpu is free; "
        "1 jobs of the queue go before it."
    )
    assert "0 jobs of the queue" in why(armada, first)
    assert "does not wait" in why(armada, busy)


def test_the_report_on_an_incomplete_gang_counts_its_members(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true"), annotations=GANG))

    wait_until(lambda: "its gang pair has 1 of 2 members" in why(armada, job_id))


def test_reports_on_queues_and_on_everything(armada: Armada) -> None:
    report = armada.call(methods.SchedulerReporting.GET_QUEUE_REPORT, queue_name=QUEUE).report
    assert report == f"Queue {QUEUE}: 0 jobs run, 0 wait; it uses 0% of the machine."

    everything = armada.call(methods.SchedulerReporting.GET_SCHEDULING_REPORT).report
    assert everything.splitlines() == ["Pool default: 2 cpu of 2 cpu free, 4Gi memory of 4Gi memory free.", report]


def test_a_report_needs_a_job_id(armada: Armada) -> None:
    code, _ = armada.refused(methods.SchedulerReporting.GET_JOB_REPORT, job_id="not-an-id")

    assert code == grpc.StatusCode.INVALID_ARGUMENT
