"""No task fails because of transport; every end of a job is seen, late if need be."""

from __future__ import annotations

import time
from collections.abc import Callable

import grpc
import pytest

from tests.chaos.world import World
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until
from tests.support.proxy import FaultProxy

TASKS = ("work_deferred", "work_blocking")


def running(world: World, seconds: float) -> DagRun:
    """Start a run and wait until both of its tasks wait for their running jobs."""
    run = world.start("plain", seconds=dict.fromkeys(TASKS, seconds))
    for task_id in TASKS:
        world.wait_for_job(run, task_id)
    run.wait_for_task("work_deferred", "deferred", deadline=90)
    wait_until(lambda: sum(world.armada.open_streams.values()), "a watch on the jobs", 60)
    return run


def succeeds(world: World, run: DagRun, patience: float = 180.0) -> None:
    assert world.settle(run, patience=patience).problems == []
    assert [task["try_number"] for task in run.tasks()] == [1, 1]


def restart(world: World) -> None:
    world.armada.disconnect()
    world.armada.reconnect()


def away(world: World, seconds: float) -> None:
    """Take the server away; jobs end meanwhile."""
    world.armada.disconnect()
    time.sleep(seconds)
    world.armada.reconnect()


def reset(world: World) -> None:
    world.network.do(FaultProxy.reset)


def refuse_connections(world: World) -> None:
    world.network.do(FaultProxy.refuse)
    world.network.do(FaultProxy.reset)
    time.sleep(30)
    world.network.do(FaultProxy.heal)


def half_open(world: World) -> None:
    """Swallow everything, and then cut what was open, so that only new connections work."""
    world.network.do(FaultProxy.black_hole)
    time.sleep(40)
    world.network.do(FaultProxy.reset)
    world.network.do(FaultProxy.heal)


def refused_credentials(world: World) -> None:
    world.armada.faults.refuse("*", grpc.StatusCode.UNAUTHENTICATED, "token is expired", times=None)
    world.armada.faults.break_streams(grpc.StatusCode.UNAUTHENTICATED, "token is expired")
    time.sleep(30)
    world.armada.faults.clear()


def refused_permission(world: World) -> None:
    world.armada.faults.refuse("*", grpc.StatusCode.PERMISSION_DENIED, "not allowed", times=None)
    world.armada.faults.break_streams(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
    time.sleep(20)
    world.armada.faults.clear()


def broken_streams(world: World) -> None:
    world.armada.faults.drop_streams_after = 1
    world.armada.faults.break_streams()


@pytest.mark.parametrize(
    "disturb",
    [
        restart,
        lambda world: away(world, 45),
        reset,
        refuse_connections,
        half_open,
        refused_credentials,
        refused_permission,
        broken_streams,
    ],
    ids=[
        "server restarted",
        "server away for 45 s",
        "connections reset",
        "connections refused",
        "half-open",
        "credentials refused",
        "permission refused",
        "streams broken after each message",
    ],
)
def test_the_end_is_seen_all_the_same(world: World, disturb: Callable[[World], None]) -> None:
    run = running(world, 20)

    disturb(world)

    succeeds(world, run)


def test_streams_that_end_cleanly_again_and_again(world: World) -> None:
    world.armada.faults.close_streams_after = 2.0

    succeeds(world, running(world, 15))


def test_a_query_database_that_lags(world: World) -> None:
    world.armada.faults.query_lag = 30.0

    succeeds(world, running(world, 10))


def test_streams_that_are_open_and_silent(world: World) -> None:
    world.armada.faults.silent = True
    run = world.start("plain", seconds=dict.fromkeys(TASKS, 5))

    succeeds(world, run, 300)


def test_events_that_come_twice(world: World) -> None:
    world.armada.faults.repeat_events = 2

    succeeds(world, running(world, 5))


def test_a_history_that_has_expired(world: World) -> None:
    run = running(world, 15)

    world.armada.disruptions.forget_events("chaos", f"plain.{run.run_id}")
    world.armada.faults.break_streams()

    succeeds(world, run)


def test_a_server_that_is_away_when_a_task_starts(world: World) -> None:
    world.armada.disconnect()
    run = world.start("plain", seconds=dict.fromkeys(TASKS, 4))
    for task_id in TASKS:
        world.worker_pids(run, task_id)
    time.sleep(40)
    world.armada.reconnect()

    succeeds(world, run)


@pytest.mark.parametrize("what", ["history", "job"])
def test_half_of_the_traces_is_gone_when_the_server_can_be_reached_again(world: World, what: str) -> None:
    run = running(world, 12)
    world.network.do(FaultProxy.refuse)
    world.network.do(FaultProxy.reset)
    jobs = [world.wait_for_job(run, task_id, "SUCCEEDED") for task_id in TASKS]

    if what == "history":
        world.armada.disruptions.forget_events("chaos", f"plain.{run.run_id}")
    for job in jobs if what == "job" else ():
        world.armada.disruptions.prune_job(job.id)
    world.network.do(FaultProxy.heal)

    assert run.wait(180) == "success"
    assert [task["try_number"] for task in run.tasks()] == [1, 1]
