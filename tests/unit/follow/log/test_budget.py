"""How many log lines may be shown live, and whose turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.log.budget import SHORT_TAIL, JobBudget, LogBudget

NOW = 1e9


def shown(job: JobBudget, wanted: int, now: float = NOW) -> int:
    """Show as many lines of those that are there as a job may, as a follower does."""
    count = min(wanted, job.available(now))
    job.take(count)
    if count < wanted:
        job.wait()
    else:
        job.caught_up()
    return count


def test_a_job_may_use_no_more_than_its_own_share() -> None:
    job = LogBudget(lines_per_second=100, burst=100, job_lines_per_second=5, job_burst=10).open_job()

    assert shown(job, 50) == 10
    assert shown(job, 50) == 0


def test_silent_jobs_take_nothing_from_those_that_write() -> None:
    budget = LogBudget()
    silent = [budget.open_job() for _ in range(1000)]
    writers = [budget.open_job() for _ in range(3)]

    assert [shown(job, 50) for job in writers] == [50, 50, 50]
    assert all(job.available(NOW) for job in silent)


def test_a_short_tail_is_shown_whatever_the_others_do() -> None:
    budget = LogBudget()
    hogs = [budget.open_job() for _ in range(20)]
    for hog in hogs:
        shown(hog, 10_000)
    ended = [budget.open_job() for _ in range(300)]
    for job in ended:
        job.end()

    assert [shown(job, SHORT_TAIL) for job in ended] == [SHORT_TAIL] * 300


def test_a_long_tail_gets_a_beginning_and_waits_for_its_turn() -> None:
    budget = LogBudget(lines_per_second=200, burst=400)
    hog, job = budget.open_job(), budget.open_job()
    shown(hog, 10_000)
    job.end()

    first = shown(job, 3000)
    left = 3000 - first
    now = NOW
    while left:
        now += 1.0
        left -= shown(job, left, now)

    assert first >= SHORT_TAIL
    assert now - NOW <= 3000 / 200 + 2


def test_the_rest_of_a_job_that_has_ended_goes_before_what_others_still_write() -> None:
    budget = LogBudget(lines_per_second=200, burst=400)
    hogs, ended = [budget.open_job() for _ in range(50)], budget.open_job()
    for job in (*hogs, ended):
        shown(job, 10_000)
    for hog in hogs:
        hog.available(NOW + 5)
    ended.end()

    assert shown(ended, 10_000, NOW + 5) >= budget.turn


def test_jobs_that_write_much_take_turns_in_which_it_is_worth_to_look() -> None:
    budget = LogBudget(lines_per_second=200, burst=400, job_lines_per_second=20, job_burst=100)
    jobs = [budget.open_job() for _ in range(40)]
    counts, looks = [0] * len(jobs), [0] * len(jobs)
    for second in range(60):
        for number, job in enumerate(jobs):
            now = NOW + second + number / 100
            if job.available(now):
                looks[number] += 1
                counts[number] += shown(job, 10_000, now)

    assert sum(counts) >= 0.9 * 200 * 60
    assert max(counts) <= 2 * min(counts)
    assert sum(looks) <= sum(counts) / 70


def test_a_job_with_a_line_or_two_is_shown_while_others_wait() -> None:
    budget = LogBudget(lines_per_second=200, burst=400)
    hogs, modest = [budget.open_job() for _ in range(100)], budget.open_job()
    late = 0
    for second in range(60):
        for hog in hogs:
            if hog.available(NOW + second):
                shown(hog, 10_000, NOW + second)
        late += shown(modest, 2, NOW + second + 0.5) < 2

    assert late <= 2


def test_a_budget_fills_up_again_with_time() -> None:
    job = LogBudget(lines_per_second=10, burst=10, job_lines_per_second=10, job_burst=10).open_job()
    job.take(job.available(NOW))

    assert job.available(NOW) == 0
    assert job.available(NOW + 0.5) == 5
    assert job.available(NOW + 60) == 10


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 2), st.integers(1, 30)), max_size=60))
def test_no_more_than_the_budget_is_ever_taken(steps: list[tuple[int, float, int]]) -> None:
    budget = LogBudget(lines_per_second=5, burst=20, job_lines_per_second=3, job_burst=10)
    jobs = [budget.open_job() for _ in range(4)]
    now, taken = NOW, 0
    for which, pause, wanted in steps:
        now += pause
        taken += shown(jobs[which], wanted, now)

    assert taken <= 20 + 5 * (now - NOW) + 1


def test_a_job_that_leaves_stands_in_nobodys_way() -> None:
    budget = LogBudget(lines_per_second=100, burst=100)
    stays, leaves = budget.open_job(), budget.open_job()
    for job in (leaves, stays):
        shown(job, 10_000)
    for job in (leaves, stays):
        job.available(NOW + 60)
    assert stays.available(NOW + 60) == 0
    leaves.close()
    leaves.close()

    assert stays.available(NOW + 60) > 0
