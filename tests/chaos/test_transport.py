"""No task fails because of transport; every end of a job is seen, late if need be.

The cases are played side by side, each at a place of its own: what is broken there breaks nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import grpc
import pytest

from tests.chaos.place import Place
from tests.chaos.world import World
from tests.support.airflow_api import DagRun
from tests.support.components import wait_until
from tests.support.proxy import FaultProxy

TASKS = ("work_deferred", "work_blocking")
Case = Callable[[Place], None]


def running(place: Place, seconds: float) -> DagRun:
    """Start a run and wait until both of its tasks wait for their running jobs."""
    run = place.start("plain", seconds=dict.fromkeys(TASKS, seconds))
    for task_id in TASKS:
        place.wait_for_job(run, task_id)
    run.wait_for_task("work_deferred", "deferred", deadline=90)
    wait_until(lambda: sum(place.armada.open_streams.values()), "a watch on the jobs", 60)
    return run


def succeeds(place: Place, run: DagRun, patience: float = 180.0) -> None:
    assert place.settle(run, patience=patience).problems == []
    assert [task["try_number"] for task in run.tasks()] == [1, 1]


def restart(place: Place) -> None:
    place.armada.disconnect()
    place.armada.reconnect()


def away(place: Place, seconds: float) -> None:
    """Take the server away; jobs end meanwhile."""
    place.armada.disconnect()
    time.sleep(seconds)
    place.armada.reconnect()


def reset(place: Place) -> None:
    place.network.do(FaultProxy.reset)


def refuse_connections(place: Place) -> None:
    place.network.do(FaultProxy.refuse)
    place.network.do(FaultProxy.reset)
    time.sleep(30)
    place.network.do(FaultProxy.heal)


def half_open(place: Place) -> None:
    """Swallow everything, and then cut what was open, so that only new connections work."""
    place.network.do(FaultProxy.black_hole)
    time.sleep(40)
    place.network.do(FaultProxy.reset)
    place.network.do(FaultProxy.heal)


def refused_credentials(place: Place) -> None:
    place.armada.faults.refuse("*", grpc.StatusCode.UNAUTHENTICATED, "token is expired", times=None)
    place.armada.faults.break_streams(grpc.StatusCode.UNAUTHENTICATED, "token is expired")
    time.sleep(30)
    place.armada.faults.clear()


def refused_permission(place: Place) -> None:
    place.armada.faults.refuse("*", grpc.StatusCode.PERMISSION_DENIED, "not allowed", times=None)
    place.armada.faults.break_streams(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
    time.sleep(20)
    place.armada.faults.clear()


def broken_streams(place: Place) -> None:
    place.armada.faults.drop_streams_after = 1
    place.armada.faults.break_streams()


def disturbed(disturb: Callable[[Place], None]) -> Case:
    """Make a case of something that happens while jobs run."""

    def case(place: Place) -> None:
        run = running(place, 20)
        disturb(place)
        succeeds(place, run)

    return case


def streams_that_end_cleanly_again_and_again(place: Place) -> None:
    place.armada.faults.close_streams_after = 2.0

    succeeds(place, running(place, 15))


def a_query_database_that_lags(place: Place) -> None:
    place.armada.faults.query_lag = 30.0

    succeeds(place, running(place, 10))


def streams_that_are_open_and_silent(place: Place) -> None:
    place.armada.faults.silent = True
    run = place.start("plain", seconds=dict.fromkeys(TASKS, 5))

    succeeds(place, run, 300)


def events_that_come_twice(place: Place) -> None:
    place.armada.faults.repeat_events = 2

    succeeds(place, running(place, 5))


def a_history_that_has_expired(place: Place) -> None:
    run = running(place, 15)

    place.armada.disruptions.forget_events("chaos", f"plain.{run.run_id}")
    place.armada.faults.break_streams()

    succeeds(place, run)


def a_server_that_is_away_when_a_task_starts(place: Place) -> None:
    place.armada.disconnect()
    run = place.start("plain", seconds=dict.fromkeys(TASKS, 4))
    for task_id in TASKS:
        run.wait_for_task(task_id, "running", deadline=90)
    time.sleep(40)
    place.armada.reconnect()

    succeeds(place, run)


def half_of_the_traces_is_gone(what: str) -> Case:
    """Make a case of a job whose end nobody could see, and of which one source knows nothing any more."""

    def case(place: Place) -> None:
        run = running(place, 12)
        place.network.do(FaultProxy.refuse)
        place.network.do(FaultProxy.reset)
        jobs = [place.wait_for_job(run, task_id, "SUCCEEDED") for task_id in TASKS]

        if what == "history":
            place.armada.disruptions.forget_events("chaos", f"plain.{run.run_id}")
        for job in jobs if what == "job" else ():
            place.armada.disruptions.prune_job(job.id)
        place.network.do(FaultProxy.heal)

        assert run.wait(180) == "success"
        assert [task["try_number"] for task in run.tasks()] == [1, 1]

    return case


CASES: dict[str, Case] = {
    "streams open and silent": streams_that_are_open_and_silent,
    "server away when a task starts": a_server_that_is_away_when_a_task_starts,
    "server away for 45 s": disturbed(lambda place: away(place, 45)),
    "half-open": disturbed(half_open),
    "credentials refused": disturbed(refused_credentials),
    "connections refused": disturbed(refuse_connections),
    "query database lags": a_query_database_that_lags,
    "permission refused": disturbed(refused_permission),
    "server restarted": disturbed(restart),
    "connections reset": disturbed(reset),
    "streams broken after each message": disturbed(broken_streams),
    "streams end cleanly again and again": streams_that_end_cleanly_again_and_again,
    "events come twice": events_that_come_twice,
    "history expired": a_history_that_has_expired,
    "history gone after an outage": half_of_the_traces_is_gone("history"),
    "job pruned after an outage": half_of_the_traces_is_gone("job"),
}


@pytest.fixture(scope="module")
def played(world: World) -> Iterator[dict[str, Future[None]]]:
    """Play all cases, as many at a time as there are places, the longest first."""
    free: SimpleQueue[Place] = SimpleQueue()
    for place in world.side_places:
        free.put(place)

    def play(case: Case) -> None:
        place = free.get()
        try:
            case(place)
        finally:
            place.heal()
            free.put(place)

    with ThreadPoolExecutor(len(world.side_places)) as pool:
        yield {name: pool.submit(play, case) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_end_is_seen_all_the_same(played: dict[str, Future[None]], name: str) -> None:
    played[name].result()
