"""How many log lines may be shown live."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.log.budget import LogBudget


def test_a_job_may_use_no_more_than_its_own_share() -> None:
    job = LogBudget(lines_per_second=100, burst=100, job_lines_per_second=5, job_burst=10).open_job()

    taken = job.available(now=0)
    job.take(taken)

    assert taken == 10
    assert job.available(now=0) == 0


def test_jobs_share_what_there_is_for_all() -> None:
    budget = LogBudget(lines_per_second=0, burst=40, job_lines_per_second=0, job_burst=40)
    jobs = [budget.open_job() for _ in range(4)]
    taken = []
    for job in jobs:
        taken.append(job.available(now=0))
        job.take(taken[-1])

    assert sum(taken) <= 40
    assert min(taken) >= 4


def test_a_budget_fills_up_again_with_time() -> None:
    budget = LogBudget(lines_per_second=10, burst=10, job_lines_per_second=10, job_burst=10)
    job = budget.open_job()
    now = 1e9
    job.take(job.available(now))

    assert job.available(now) == 0
    assert job.available(now + 0.5) == 5
    assert job.available(now + 60) == 10


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 2)), max_size=60))
def test_no_more_than_the_budget_is_ever_taken(steps: list[tuple[int, float]]) -> None:
    budget = LogBudget(lines_per_second=5, burst=20, job_lines_per_second=3, job_burst=10)
    jobs = [budget.open_job() for _ in range(4)]
    now = begin = 1e9
    taken = 0
    for which, pause in steps:
        now += pause
        count = jobs[which].available(now)
        jobs[which].take(count)
        taken += count

    assert taken <= 20 + 5 * (now - begin) + 1


def test_a_job_that_leaves_gives_its_share_back_once() -> None:
    budget = LogBudget(lines_per_second=0, burst=10, job_lines_per_second=0, job_burst=10)
    stays, leaves = budget.open_job(), budget.open_job()
    leaves.close()
    leaves.close()

    assert stays.available() == 10
