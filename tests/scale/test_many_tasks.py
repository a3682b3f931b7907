"""Many deferred tasks are killed at once, or their jobs end at once: no job is left, and no line is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.scale.conftest import FULL, N
from tests.scale.fleet import WRITER, Fleet, expected_lines
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until

Figure = Callable[[str, float], None]
WRITERS = 200
PATIENCE = 120.0 + N / 5


def seconds_of(run: DagRun) -> float:
    """Wait for the end of another task, deferred by real means, and return how long its run took by Airflow's clock."""
    assert run.wait(PATIENCE) == "success"
    told = run.api.call("GET", run.path)
    begun, ended = (datetime.fromisoformat(told[name]) for name in ("queued_at", "end_date"))
    return (ended - begun).total_seconds()


def test_killing_all_tasks_leaves_no_job(airflow: AirflowStack, fleet: Callable[..., Fleet], figure: Figure) -> None:
    seconds_of(airflow.api.trigger("bystander"))  # the first task after a start waits for Airflow
    alone = seconds_of(airflow.api.trigger("bystander"))
    tasks = fleet()
    begun = time.monotonic()
    tasks.wait_until_followed(PATIENCE)
    figure("s until all are followed", time.monotonic() - begun)
    assert tasks.job_states() == {"RUNNING": N}

    begun = time.monotonic()
    tasks.run.mark("failed")
    figure("s for the API call", time.monotonic() - begun)
    other = airflow.api.trigger("bystander")
    wait_until(lambda: not tasks.live_jobs(), "the end of all jobs", PATIENCE, every=0.5)
    figure("s from the kill to the last cancel", time.monotonic() - begun)
    figure("s of a bystander, alone", alone)
    figure("s of a bystander, while all are killed", seconds_of(other))

    assert tasks.job_states() == {"CANCELLED": N}
    assert tasks.states() == {"failed": N}
    assert tasks.all_jobs() == N
    wait_until(lambda: tasks.processes() == 0, "the end of the processes", 30)


def test_all_jobs_end_at_once(fleet: Callable[..., Fleet], figure: Figure) -> None:
    """They end in the trigger; so each log is what one triggerer wrote, and Airflow read in time."""
    tasks = fleet(end_in_trigger=True)
    tasks.wait_until_followed(PATIENCE)

    begun = time.monotonic()
    tasks.end_jobs()
    wait_until(lambda: not tasks.live_jobs(), "the end of all jobs", PATIENCE, every=0.5)
    wait_until(lambda: tasks.states()["deferred"] == 0, "the end of all deferrals", PATIENCE, every=0.5)
    figure("s from the ends to the last event", time.monotonic() - begun)

    left = tasks.states()
    assert left == {"success": N}, f"some are to end on a worker: {dict(left)}"
    wrong = {number: shown for number in range(N) if (shown := tasks.shown(number)) != expected_lines(number)}
    assert wrong == {}


@pytest.mark.skipif(not FULL, reason="only with make scale")
def test_a_triggerer_that_dies_loses_nothing(
    airflow: AirflowStack, fleet: Callable[..., Fleet], figure: Figure
) -> None:
    tasks = fleet(end_in_trigger=True)
    tasks.wait_until_followed(PATIENCE)

    begun = time.monotonic()
    airflow["triggerer-1"].kill9()
    airflow["triggerer-1"].start()
    wait_until(lambda: all(len(files) > 1 for files in tasks.log_files().values()), "the new triggers", PATIENCE)
    figure("s from the crash to the last new trigger", time.monotonic() - begun)
    assert tasks.job_states() == {"RUNNING": N}
    tasks.end_jobs()
    wait_until(lambda: tasks.states() == {"success": N}, "the end of all tasks", PATIENCE, every=0.5)

    wrong = {number: shown for number in range(N) if (shown := tasks.shown(number)) != expected_lines(number)}
    assert wrong == {}


@pytest.mark.skipif(not FULL, reason="only with make scale")
def test_writers_hold_up_nobody_and_lose_no_line(
    airflow: AirflowStack, fleet: Callable[..., Fleet], figure: Figure
) -> None:
    """Their tasks end on workers: what exceeds the budget for live lines is shown there."""
    figure("s of a bystander, before anybody writes", seconds_of(airflow.api.trigger("bystander")))
    tasks = fleet(WRITERS, script=WRITER)
    tasks.wait_until_followed(PATIENCE)
    figure("s of a bystander, while 200 jobs write", seconds_of(airflow.api.trigger("bystander")))

    tasks.admit_workers(8)
    begun = time.monotonic()
    tasks.end_jobs()
    figure("s of a bystander, while 200 writers end", seconds_of(airflow.api.trigger("bystander")))
    wait_until(lambda: tasks.states()["success"] == WRITERS, "the end of all tasks", 900, every=1)
    figure("s from the ends to the end of the last task", time.monotonic() - begun)

    wrong = {number: shown for number in range(WRITERS) if not is_whole(number, shown := tasks.shown(number))}
    assert wrong == {}


def is_whole(number: int, shown: list[str]) -> bool:
    """Tell whether a writer's lines are all there, once and in order."""
    last = len(shown) - 1
    lines = [f"job {number} line {n}" for n in range(1, last + 1)]
    return shown == [*lines, f"job {number} last line {last}"]
