"""Whatever happens to triggerers, a healthy job is left alone and its end is not missed."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.world import CANCEL, SUBMIT, TRIGGERERS, World
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until

TASKS = [f"work_{number}" for number in range(3)]
STALL_SECONDS = 50.0


def deferred(world: World, seconds: float) -> DagRun:
    """Start a run and wait until all of its tasks are deferred, their jobs running."""
    run = world.start("long", seconds=dict.fromkeys(TASKS, seconds))
    for task_id in TASKS:
        world.wait_for_job(run, task_id)
        run.wait_for_task(task_id, "deferred", deadline=90)
    wait_until(lambda: world.armada.open_streams, "a watch on the jobs", 60)
    return run


def left_alone(world: World, run: DagRun, before: Counter[str]) -> None:
    """Check that every task has succeeded with its first job, and that nobody has asked for a cancel."""
    assert world.settle(run).problems == []
    assert [len(world.jobs(run, task_id)) for task_id in TASKS] == [1, 1, 1]
    assert [task["try_number"] for task in run.tasks()] == [1, 1, 1]
    assert world.calls_since(before)[CANCEL] == 0
    assert world.calls_since(before)[SUBMIT] == len(TASKS)


def restart(world: World) -> None:
    world.airflow[world.serving_triggerer()].restart()


def kill(world: World) -> None:
    name = world.serving_triggerer()
    world.airflow[name].kill9()
    world.airflow[name].start()


def restart_all(world: World) -> None:
    for name in TRIGGERERS:
        world.airflow[name].signal(signal.SIGTERM)
    for name in TRIGGERERS:
        world.airflow[name].restart()


@pytest.mark.parametrize("disturb", [restart, kill, restart_all])
def test_a_triggerer_that_is_replaced(world: World, disturb: Callable[[World], None]) -> None:
    before = Counter(world.armada.calls)
    run = deferred(world, 30)

    disturb(world)

    left_alone(world, run, before)


def test_a_stalled_triggerer_that_wakes_after_another_took_over(world: World) -> None:
    before = Counter(world.armada.calls)
    run = deferred(world, 75)
    stalled = world.airflow[world.serving_triggerer()]

    stalled.pause()
    time.sleep(STALL_SECONDS)  # the fault itself lasts that long
    stalled.resume()

    left_alone(world, run, before)


def test_a_triggerer_that_wakes_after_the_jobs_have_ended(world: World) -> None:
    before = Counter(world.armada.calls)
    run = deferred(world, 15)
    stalled = world.airflow[world.serving_triggerer()]

    stalled.pause()
    run.wait(120)
    stalled.resume()

    left_alone(world, run, before)
