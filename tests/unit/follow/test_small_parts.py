"""The small parts of following: outcomes, lines, budgets, times, quantities, texts, tasks."""

from __future__ import annotations

import asyncio
import contextvars
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import timestamp_pb2
from airflow_armada.follow import outcome as outcomes
from airflow_armada.follow import tasks
from airflow_armada.follow.budget import LogBudget
from airflow_armada.follow.events import id_at, time_of
from airflow_armada.follow.lines import MAX_BYTES, printable
from airflow_armada.follow.outcome import Outcome
from airflow_armada.follow.quantity import larger
from airflow_armada.follow.texts import scheduler_reason
from airflow_armada.follow.times import nanoseconds, rfc3339

TEXTS = st.text(max_size=20)
OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(sorted(outcomes.STATUSES)),
    job_id=st.text(min_size=1, max_size=26),
    reason=TEXTS,
    exit_codes=st.dictionaries(TEXTS, st.integers(0, 255), max_size=3),
    resources=st.dictionaries(TEXTS, TEXTS, max_size=3),
    ran=st.booleans(),
    log_positions=st.dictionaries(TEXTS, st.lists(TEXTS, min_size=2, max_size=2), max_size=2),
    logs_complete=st.booleans(),
)


@given(OUTCOMES)
def test_an_outcome_survives_json(outcome: Outcome) -> None:
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def test_an_outcome_of_another_version_is_read_as_far_as_it_is_known() -> None:
    content = {"version": 9, "status": "failed", "job_id": "j", "mood": "sad"}

    assert Outcome.from_dict(content) == Outcome("failed", "j")


@pytest.mark.parametrize("content", [{}, {"status": "failed"}, {"job_id": "j"}, {"status": "happy", "job_id": "j"}])
def test_what_is_no_outcome_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not an outcome"):
        Outcome.from_dict(content)


def test_an_outcome_is_small_where_it_says_little() -> None:
    assert Outcome("succeeded", "j").to_dict() == {"version": 1, "status": "succeeded", "job_id": "j"}


@given(st.binary(max_size=100), st.integers(0, 300))
def test_a_line_of_any_bytes_is_printed_without_group_markers(part: bytes, times: int) -> None:
    pieces = list(printable((part + b"::group::") * times))

    assert pieces
    assert all("::group::" not in piece and "::endgroup::" not in piece for piece in pieces)


@given(st.text(alphabet="aé€😀", min_size=1, max_size=50), st.integers(1, 500))
def test_splitting_cuts_no_character(part: str, times: int) -> None:
    text = part * times
    pieces = list(printable(text.encode()))

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= MAX_BYTES for piece in pieces)


def test_group_markers_lose_their_meaning() -> None:
    assert list(printable(b"::group::x ::endgroup::")) == [": :group::x : :endgroup::"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert list(printable(b"a\xffb")) == ["a\ufffdb"]


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        ("1970-01-01t00:00:01z", 1_000_000_000),
        ("", 0),
        ("yesterday", 0),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


def test_wire_times_are_written_so_that_later_ones_are_larger() -> None:
    early = rfc3339(timestamp_pb2.Timestamp(seconds=9, nanos=999_999_999))
    late = rfc3339(timestamp_pb2.Timestamp(seconds=10))

    assert early == "1970-01-01T00:00:09.999999Z"
    assert early < late
    assert rfc3339(timestamp_pb2.Timestamp()) == ""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1", "900m", "1"),
        ("1Gi", "1G", "1Gi"),
        ("100Mi", "1e8", "100Mi"),
        ("", "5", "5"),
        ("2", "nonsense", "2"),
        ("1E", "1e3", "1E"),
    ],
)
def test_the_larger_of_two_quantities(one: str, other: str, expected: str) -> None:
    assert larger(one, other) == expected


def test_message_ids_begin_with_a_time() -> None:
    assert id_at(1.5) == "1500:0:0:1"
    assert time_of(id_at(1.5)) == 1.5
    assert time_of("") == time_of("legacy-1") == 0.0


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("", ""),
        ("cpu:\n\tUnschedulableReason: no room\n", "no room"),
        ("a:\n UnschedulableReason: x\nb:\n UnschedulableReason: x\nc:\n UnschedulableReason: y\n", "x; y"),
        ("cpu:\n\tMost recent round: none\n", "cpu:; Most recent round: none"),
        ("cpu:\n UnschedulableReason: none\n Node: n1\n", "cpu:; UnschedulableReason: none; Node: n1"),
    ],
)
def test_the_schedulers_report_is_shortened_to_its_reason(report: str, expected: str) -> None:
    assert scheduler_reason(report) == expected


async def test_a_background_task_does_not_inherit_the_context_of_who_started_it() -> None:
    task_log = contextvars.ContextVar("task_log", default="nobody's")
    task_log.set("the first task's")
    seen: list[str] = []

    async def look() -> None:
        seen.append(task_log.get())

    await tasks.spawn(look(), "look")

    assert seen == ["nobody's"]


async def test_ending_a_task_waits_for_it_even_if_it_swallows_a_cancellation() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    task = tasks.spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)

    await tasks.end(task, None)

    assert task.done()
