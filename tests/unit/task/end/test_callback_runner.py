"""Callbacks are told in order, beside the task, and hurt nobody."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from airflow_armada.callbacks import JobCallbacks
from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.task.end import callback_runner
from airflow_armada.task.end.callback_runner import CallbackRunner
from airflow_armada.wait.job_wait import JobWait
from tests.support.components import wait_until

WAIT = JobWait("armada_default", JobRef("q", "s", "j"), 0.0)
ENDED = Outcome("failed", "j", reason="no disk", running_at="2026-11-27T10:00:00Z", cluster="c", node="n")


class Diary(JobCallbacks):
    def __init__(self) -> None:
        self.pages: list[tuple[Any, ...]] = []

    def submitted(self, *, job: JobRef, adopted: bool, **more: Any) -> None:
        self.pages.append(("submitted", job.job_id, adopted))

    def running(self, *, at: str, cluster: str, node: str, **more: Any) -> None:
        self.pages.append(("running", at, cluster, node))

    def line(self, *, text: str, container: str, **more: Any) -> None:
        self.pages.append(("line", container, text))

    def ended(self, *, status: str, reason: str, facts: Any, context: Any, **more: Any) -> None:
        self.pages.append(("ended", status, reason, facts["node"], context))


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_it_is_told_in_the_order_in_which_things_happened(diary: Diary) -> None:
    runner = CallbackRunner(diary, {"ds": "today"})

    runner.submitted(WAIT)
    runner.running(WAIT, "now", "c", "n")
    runner.lines(WAIT, "base", [("t1", "one"), ("t2", "two")])
    runner.ended(WAIT, ENDED)
    runner.settle()
    runner.close()

    assert diary.pages == [
        ("submitted", "j", False),
        ("running", "now", "c", "n"),
        ("line", "base", "one"),
        ("line", "base", "two"),
        ("ended", "failed", "no disk", "n", {"ds": "today"}),
    ]


def test_a_run_that_was_seen_by_nobody_is_told_at_the_end(diary: Diary) -> None:
    runner = CallbackRunner([diary], {})
    runner.ended(WAIT, ENDED)
    runner.settle()
    runner.close()

    assert diary.pages[0] == ("running", ENDED.running_at, "c", "n")


def test_an_error_is_told_once_and_hurts_no_neighbour(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(JobCallbacks):
        def line(self, **told: Any) -> None:
            raise SystemExit("out of paper")

    runner = CallbackRunner([Broken(), diary], {})
    with caplog.at_level(logging.WARNING):
        runner.lines(WAIT, "base", [("t", str(number)) for number in range(5)])
        runner.settle()
    runner.close()

    assert [page[2] for page in diary.pages] == ["0", "1", "2", "3", "4"]
    assert [message.count("out of paper") for message in caplog.messages if "raised SystemExit" in message] == [1]
    assert any("has raised 5 times" in message for message in caplog.messages)


def test_a_slow_one_holds_nobody_up_and_misses_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_runner, "_MOST_LINES", 3)
    begun, go_on, seen = threading.Event(), threading.Event(), []

    class Slow(JobCallbacks):
        def line(self, *, text: str, **more: Any) -> None:
            begun.set()
            go_on.wait(60)
            seen.append(text)

        def ended(self, **told: Any) -> None:
            seen.append("ended")

    runner = CallbackRunner(Slow, {}, patience=0.01)
    with caplog.at_level(logging.WARNING):
        runner.lines(WAIT, "base", [("t", "first")])
        assert begun.wait(60)
        runner.lines(WAIT, "base", [("t", str(number)) for number in range(10)])
        runner.ended(WAIT, ENDED)
        runner.settle()
        go_on.set()
        wait_until(lambda: len(seen) == 5, "the rest")
    runner.close()

    assert seen == ["first", "0", "1", "2", "ended"]
    assert any("still busy" in message for message in caplog.messages)
    assert any("too slow for 7 lines" in message for message in caplog.messages)


def test_what_nobody_wants_to_hear_starts_no_thread() -> None:
    before = threading.active_count()

    runner = CallbackRunner(JobCallbacks(), {})
    runner.submitted(WAIT)
    runner.settle()

    assert threading.active_count() == before
    assert not CallbackRunner(None, {})


def test_its_thread_ends_with_the_segment(diary: Diary) -> None:
    runner = CallbackRunner(diary, {})
    runner.submitted(WAIT)
    runner.settle()
    runner.close()
    runner.submitted(WAIT)

    assert "armada-callbacks" not in [thread.name for thread in threading.enumerate()]
    assert len(diary.pages) == 1
