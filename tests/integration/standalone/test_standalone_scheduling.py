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

    assert "gang that has running jobs" in armada.end_of(late).reason


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
    # As with the real one, no report says so; only the queue itself tells that it is cordoned.
    assert why(armada, job_id).endswith(": none\n")
    assert armada.call(methods.QueueService.GET_QUEUE, name=QUEUE).cordoned

    armada.call(methods.QueueService.UNCORDON_QUEUE, name=QUEUE)

    assert armada.kinds_until(job_id)[-1] == "succeeded"


def why(armada: Armada, job_id: str) -> str:
    """Return the scheduler's report on a job."""
    return str(armada.call(methods.SchedulerReporting.GET_JOB_REPORT, job_id=job_id).report)


def test_the_report_on_a_waiting_job_says_what_it_lacks(armada: Armada) -> None:
    (busy,) = armada.submit(job(container("sleep", "1000", cpu="1500m")))
    armada.events_until(busy, "running")
    first, second = armada.submit(*[job(container("true", cpu="1"))] * 2)

    wait_until(lambda: "requires" in why(armada, second))

    for waiting in (first, second):
        lines = why(armada, waiting).splitlines()
        assert lines[1] == f" Most recent scheduling round that affected job {waiting}:"
        assert "  UnschedulableReason: job does not fit on any node" in lines
        assert lines[-1] == "   1: pod requires 1 cpu, but only 500m is available"


def test_the_report_on_a_job_that_no_round_affected_says_none(armada: Armada) -> None:
    (ended,) = armada.submit(job(container("true")))
    armada.end_of(ended)
    (single,) = armada.submit(job(container("true"), annotations=GANG))

    for job_id in (ended, single):
        wait_until(lambda job_id=job_id: why(armada, job_id).endswith(f" affected job {job_id}: none\n"))


def test_the_report_on_a_queue_tells_of_its_newest_round(armada: Armada) -> None:
    (busy,) = armada.submit(job(container("sleep", "1000", cpu="1500m")))
    armada.events_until(busy, "running")
    (waiting,) = armada.submit(job(container("true", cpu="1")))
    wait_until(lambda: "does not fit" in why(armada, waiting))

    report = armada.call(methods.SchedulerReporting.GET_QUEUE_REPORT, queue_name=QUEUE).report
    told = dict(line.strip().split(":", 1) for line in report.splitlines()[2:] if ":" in line)

    assert told["Number of jobs that could not be scheduled"].strip() == "1"
    assert "cpu=1500m" in told["Total allocated resources after scheduling"]
    assert report.endswith(f"  Unschedulable jobs:\n   1: job does not fit on any node (e.g., {waiting})\n")


def test_the_report_on_the_newest_round_counts_what_was_scheduled(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("sleep", "1000", cpu="1")))
    armada.events_until(job_id, "running")

    report = armada.call(methods.SchedulerReporting.GET_SCHEDULING_REPORT).report

    assert "Total capacity:            (memory=4294967296,cpu=2)\n" in report
    assert "Termination reason:" in report


def test_a_report_needs_a_job_id(armada: Armada) -> None:
    code, _ = armada.refused(methods.SchedulerReporting.GET_JOB_REPORT, job_id="not-an-id")

    assert code == grpc.StatusCode.INVALID_ARGUMENT
