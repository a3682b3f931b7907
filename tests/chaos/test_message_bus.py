"""While Armada's message bus is away, submissions block, are published late, and are forgotten."""

from __future__ import annotations

import time

from tests.chaos.world import World
from tests.support.components import wait_until


def submissions(world: World, count: int) -> None:
    wait_until(lambda: world.armada.calls["/api.Submit/SubmitJobs"] >= count, f"{count} submissions", 120)


def test_tasks_that_submit_while_the_message_bus_is_away_have_one_job_each(world: World) -> None:
    world.armada.faults.bus_away = True
    before = world.armada.calls["/api.Submit/SubmitJobs"]
    run = world.start("plain", seconds={"work_deferred": 4, "work_blocking": 4})
    submissions(world, before + 2)
    time.sleep(12)
    world.armada.faults.bus_away = False

    assert world.settle(run).problems == []
    assert [len(world.jobs(run, task)) for task in ("work_deferred", "work_blocking")] == [1, 1]


def test_of_the_copies_of_workers_that_died_while_the_message_bus_was_away_one_runs(world: World) -> None:
    world.armada.faults.bus_away = True
    before = world.armada.calls["/api.Submit/SubmitJobs"]
    run = world.start("kept_trying", seconds={"work_deferred": 6, "work_blocking": 6})
    submissions(world, before + 2)
    for task in ("work_deferred", "work_blocking"):
        world.kill_worker(run, task)
    submissions(world, before + 4)
    world.armada.faults.bus_away = False

    assert world.settle(run).problems == []
    assert [task["try_number"] for task in run.tasks()] == [2, 2]
