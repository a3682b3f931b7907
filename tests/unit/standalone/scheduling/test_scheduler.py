"""The scheduler's decisions, without a server."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_armada.api import submit_pb2
from airflow_armada.api.core_v1_pb2 import PodSpec
from airflow_armada.standalone.config import SITES, Config
from airflow_armada.standalone.scheduling.round import Round
from airflow_armada.standalone.scheduling.scheduler import Scheduler
from airflow_armada.standalone.store.gangs import Gang
from airflow_armada.standalone.store.model import PENDING, QUEUED, Job, Run

CORES = Fraction(4)
CLASSES = ["armada-preemptible", "armada-default", "armada-high-priority"]


class Desk:
    """A scheduler with jobs to put on it.

    :param weights: priority factors by queue; other queues weigh 1
    """

    def __init__(self, **weights: float | None) -> None:
        self.scheduler = Scheduler(
            Config(cpus=CORES, memory=Fraction(2**40), priority_classes=SITES["nrp"]),
            lambda name: weights.get(name, 1.0),
        )
        self.jobs: list[Job] = []

    def add(self, cpu: float = 1, queue: str = "q", pc: str = "armada-default", **fields: Any) -> Job:
        """Submit a job."""
        number = len(self.jobs)
        pod = PodSpec(priorityClassName=pc)
        values: dict[str, Any] = {"gang": None, "priority": 0, **fields}
        made = Job(
            spec=submit_pb2.Job(id=f"job-{number:04}", queue=queue, job_set_id="s", pod_spec=pod),
            requests={"cpu": Fraction(cpu)},
            external_uri="",
            serial=number,
            **values,
        )
        made.enter(QUEUED)
        self.jobs.append(made)
        assert self.scheduler.add(made) == ""
        return made

    def round(self) -> Round:
        """Schedule once and let the leased jobs run."""
        decided = self.scheduler.round()
        for number, leased in enumerate(decided.leased):
            leased.runs.append(Run(leased=time.time() + number))
            leased.enter(PENDING)
        return decided

    def in_use(self) -> Fraction:
        return self.scheduler.used["cpu"]


def test_jobs_go_by_priority_and_then_by_age() -> None:
    desk = Desk()
    third, first, second = desk.add(priority=2), desk.add(priority=1), desk.add(priority=1)

    assert desk.round().leased == [first, second, third]


def test_a_changed_priority_counts() -> None:
    desk = Desk()
    first, second = desk.add(4, priority=1), desk.add(4, priority=2)
    first.priority = 3
    desk.scheduler.backlog.reorder(first)

    assert desk.round().leased == [second]


def test_the_queue_with_less_of_its_share_goes_first() -> None:
    desk = Desk()
    for _ in range(3):
        desk.add(queue="greedy")
    modest = desk.add(queue="modest")

    assert desk.round().leased.index(modest) <= 1


def test_a_queue_of_twice_the_factor_gets_half_as_much() -> None:
    desk = Desk(heavy=2.0, light=1.0)
    for _ in range(4):
        desk.add(Fraction(2, 3), queue="heavy"), desk.add(Fraction(2, 3), queue="light")

    queues = [job.queue for job in desk.round().leased]

    assert (queues.count("light"), queues.count("heavy")) == (4, 2)


def test_a_cordoned_queue_is_passed_over() -> None:
    desk = Desk(closed=None)
    desk.add(queue="closed")
    desk.add(1000, queue="closed")

    decided = desk.round()

    assert (decided.leased, decided.rejected) == ([], [])


def test_what_can_never_fit_is_rejected_even_when_the_machine_is_busy() -> None:
    desk = Desk()
    desk.add(4)
    impossible = desk.add(5)

    ((rejected, reason),) = desk.round().rejected

    assert rejected is impossible
    assert "(cpu=5) which exceeds the total limit of " in reason


def test_preemption_takes_no_more_than_it_needs() -> None:
    desk = Desk()
    small, large = desk.add(1, pc="armada-preemptible"), desk.add(3, pc="armada-preemptible")
    desk.round()

    urgent = desk.add(3, pc="armada-high-priority")

    assert desk.round().preempted == [(large, urgent)]
    assert small.state == PENDING


def test_a_queue_below_its_fair_share_takes_back_what_another_has_beyond_its_own() -> None:
    desk = Desk()
    greedy = [desk.add(1, queue="greedy", pc="armada-preemptible") for _ in range(4)]
    desk.round()
    modest = [desk.add(1, queue="modest", pc="armada-preemptible") for _ in range(4)]

    decided = desk.round()

    assert decided.leased == modest[:2]
    assert [victim for victim, _ in decided.preempted] == [greedy[3], greedy[2]]
    assert desk.round().preempted == []


def test_a_fair_share_is_by_the_weights_of_the_queues() -> None:
    desk = Desk(greedy=1.0, modest=3.0)
    for _ in range(4):
        desk.add(1, queue="greedy", pc="armada-preemptible")
    desk.round()
    for _ in range(4):
        desk.add(1, queue="modest", pc="armada-preemptible")

    assert len(desk.round().preempted) == 1


def test_jobs_that_cannot_be_preempted_stay_whatever_the_fair_share() -> None:
    desk = Desk()
    for _ in range(4):
        desk.add(1, queue="greedy")
    desk.round()
    desk.add(1, queue="modest")

    assert desk.round().preempted == []


def test_nothing_is_preempted_if_that_does_not_make_enough_room() -> None:
    desk = Desk()
    desk.add(2, pc="armada-default"), desk.add(2, pc="armada-preemptible")
    desk.round()

    desk.add(3, pc="armada-high-priority")

    decided = desk.round()
    assert (decided.preempted, decided.leased) == ([], [])


def test_an_equal_class_is_not_preempted() -> None:
    desk = Desk()
    desk.add(4, pc="armada-preemptible")
    desk.round()

    desk.add(4, pc="armada-preemptible")

    assert desk.round().preempted == []


def test_a_gang_is_all_or_nothing() -> None:
    desk = Desk()
    gang = Gang("g", 3, "")
    members = [desk.add(1, gang=gang) for _ in range(2)]
    assert desk.round().leased == []

    members.append(desk.add(3, gang=gang))
    assert desk.round().leased == []

    assert desk.scheduler.backlog.gang_members(members[0]) == members


JOBS = st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.sampled_from(CLASSES), st.integers(0, 2))


@given(st.lists(st.lists(JOBS, max_size=8), max_size=4))
@example([[(1, "a", "armada-preemptible", 0), (3, "a", "armada-preemptible", 0)], [(1, "b", "armada-preemptible", 0)]])
def test_the_machine_is_never_given_away_twice(waves: list[list[tuple[int, str, str, int]]]) -> None:
    desk = Desk()
    for wave in waves:
        for cpu, queue, pc, priority in wave:
            desk.add(cpu, queue=queue, pc=pc, priority=priority)
        decided = desk.round()

        held = sum((job.requests["cpu"] for job in desk.scheduler.holders.values()), Fraction(0))
        assert held == desk.in_use() <= CORES
        for victim, winner in decided.preempted:
            classes = SITES["nrp"][victim.priority_class], SITES["nrp"][winner.priority_class]
            assert classes[0].preemptible
            # An equal one gives way only to another queue, which has less than its fair share.
            assert classes[0].value < classes[1].value or (
                classes[0].value == classes[1].value and victim.queue != winner.queue
            )
        assert all(job.requests["cpu"] > CORES for job, _ in decided.rejected)


def test_ten_thousand_waiting_jobs_cost_a_round_no_more_than_a_few() -> None:
    desk = Desk()
    for _ in range(10_000):
        desk.add(3)
    desk.round()
    calls = _count_orders(desk)

    desk.round()

    assert calls() < 10


def _count_orders(desk: Desk) -> Any:
    """Return a function that tells how many units were looked at since."""
    backlog, looked = desk.scheduler.backlog, [0]
    first = backlog.first

    def counting(*args: Any) -> Any:
        looked[0] += 1
        return first(*args)

    backlog.first = counting  # type: ignore[method-assign]
    return lambda: looked[0]
