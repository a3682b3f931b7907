"""Many deferred tasks are killed at once, or their jobs end at once: no job is left, and no line is missing."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.scale.conftest import FULL, Figure, Fleets, N
from tests.scale.jobs import WRITER
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until

WRITERS = 200
SLOTS = 4
"""Workers that may print what writers wrote, at a time."""
PATIENCE = 120.0 + N / 5
only_in_full = pytest.mark.skipif(not FULL, reason="only with make scale N=1500")


def seconds_of(run: DagRun) -> float:
    """Wait for the end of another task, deferred by real means, and return how long its run took by Airflow's clock."""
    assert run.wait(PATIENCE) == "success"
    told = run.api.call("GET", run.path)
    begun, ended = (datetime.fromisoformat(told[name]) for name in ("queued_at", "end_date"))
    return (ended - begun).total_seconds()


def test_killing_all_tasks_leaves_no_job(airflow: AirflowStack, fleets: Fleets, figure: Figure) -> None:
    seconds_of(airflow.api.trigger("bystander"))  # the first task after a start waits for Airflow
    figure("s of a bystander, alone", seconds_of(airflow.api.trigger("bystander")))
    tasks = fleets.deferred()
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
    figure("s of a bystander, while all are killed", seconds_of(other))

    assert tasks.job_states() == {"CANCELLED": N}
    assert tasks.states() == {"failed": N}
    wait_until(lambda: tasks.processes() == 0, "the end of the processes", 30)


@only_in_full
def test_killing_as_many_tasks_without_a_job(airflow: AirflowStack, fleets: Fleets, figure: Figure) -> None:
    """What a bystander waits for Airflow itself, to be compared with the case before."""
    tasks = fleets.idle()
    begun = time.monotonic()
    tasks.wait_until_started(PATIENCE)
    figure("s until all idle triggers run", time.monotonic() - begun)

    begun = time.monotonic()
    tasks.run.mark("failed")
    figure("s for the API call, idle triggers", time.monotonic() - begun)
    figure("s of a bystander, while idle triggers are killed", seconds_of(airflow.api.trigger("bystander")))
    assert tasks.states() == {"failed": N}


def test_all_jobs_end_at_once(fleets: Fleets, figure: Figure) -> None:
    """They end in the trigger; so each log is what one triggerer wrote, and Airflow read in time."""
    tasks = fleets.deferred(end_in_trigger=True)
    tasks.wait_until_followed(PATIENCE)

    begun = time.monotonic()
    tasks.end_jobs()
    wait_until(lambda: not tasks.live_jobs(), "the end of all jobs", PATIENCE, every=0.5)
    wait_until(lambda: tasks.states()["deferred"] == 0, "the end of all deferrals", PATIENCE, every=0.5)
    figure("s from the ends to the last event", time.monotonic() - begun)

    left = tasks.states()
    assert left == {"success": N}, f"some are to end on a worker: {dict(left)}"
    assert tasks.wrong_logs() == {}


@only_in_full
def test_a_triggerer_that_dies_loses_nothing(airflow: AirflowStack, fleets: Fleets, figure: Figure) -> None:
    tasks = fleets.deferred(end_in_trigger=True)
    tasks.wait_until_followed(PATIENCE)

    begun = time.monotonic()
    airflow["triggerer-1"].kill9()
    airflow["triggerer-1"].start()
    wait_until(lambda: all(len(files) > 1 for files in tasks.log_files().values()), "the new triggers", PATIENCE)
    figure("s from the crash to the last new trigger", time.monotonic() - begun)
    assert tasks.job_states() == {"RUNNING": N}
    tasks.end_jobs()
    wait_until(lambda: tasks.states() == {"success": N}, "the end of all tasks", PATIENCE, every=0.5)

    assert tasks.wrong_logs() == {}


@only_in_full
def test_writers_hold_up_nobody_and_lose_no_line(airflow: AirflowStack, fleets: Fleets, figure: Figure) -> None:
    """Their tasks end on workers: what exceeds the budget for live lines is shown there."""
    seconds_of(airflow.api.trigger("bystander"))
    figure("s of a bystander, before anybody writes", seconds_of(airflow.api.trigger("bystander")))
    tasks = fleets.deferred(WRITERS, script=WRITER)
    tasks.wait_until_followed(PATIENCE)
    figure("s of a bystander, while 200 jobs write", seconds_of(airflow.api.trigger("bystander")))

    tasks.admit_workers(SLOTS)
    begun = time.monotonic()
    tasks.end_jobs()
    figure("s of a bystander, while 200 writers end", seconds_of(airflow.api.trigger("bystander")))
    figure("writers that had ended by then", tasks.states()["success"])
    wait_until(lambda: tasks.states()["success"] == WRITERS, "the end of all tasks", 900, every=1)
    figure("s from the ends to the end of the last task", time.monotonic() - begun)

    assert tasks.wrong_logs() == {}


@only_in_full
def test_tasks_that_wait_on_workers_at_a_time(airflow: AirflowStack, fleets: Fleets, figure: Figure) -> None:
    begun = time.monotonic()
    tasks = fleets.blocking()
    wait_until(lambda: tasks.job_states() == {"RUNNING": tasks.count}, "a job for each worker", PATIENCE, every=0.5)
    figure("s until all wait on workers", time.monotonic() - begun)
    figure("s of a bystander, while they wait", seconds_of(airflow.api.trigger("bystander")))

    begun = time.monotonic()
    tasks.end_jobs()
    assert tasks.run.wait(PATIENCE) == "success"
    figure("s from their ends to the end of the last task", time.monotonic() - begun)
    assert tasks.job_states() == {"SUCCEEDED": tasks.count}
    assert tasks.wrong_logs() == {}
