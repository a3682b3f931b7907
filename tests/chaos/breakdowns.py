"""What can break in the random mode. Each breakdown returns whether it found something to break."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from tests.chaos.records import Job
from tests.chaos.world import TRIGGERERS
from tests.support.airflow_api import RefusedByAirflow
from tests.support.proxy import FaultProxy

if TYPE_CHECKING:
    from tests.chaos.random_mode import Game, Played

CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED)
ALIVE = ("running", "deferred")


def _victim(game: Game, *states: str) -> tuple[Played, str] | None:
    """Choose a task that is under way."""
    runs = game.active()
    game.dice.shuffle(runs)
    for played in runs:
        if tasks := played.unfinished(*states):
            return played, game.dice.choice(sorted(tasks))
    return None


def _running_job(game: Game) -> tuple[Played, Job] | None:
    """Choose a job that runs."""
    found = _victim(game, *ALIVE)
    if not found:
        return None
    played, task_id = found
    jobs = [job for job in game.world.jobs(played.run, task_id) if job.state == "RUNNING"]
    return (played, jobs[-1]) if jobs else None


# The answer to a submission


def lose_answers(game: Game) -> bool:
    game.world.armada.faults.lose_response("SubmitJobs", game.dice.choice(CODES), times=game.dice.randint(1, 3))
    return True


def lose_answers_and_forget(game: Game) -> bool:
    """As when Armada fails right after publishing: neither an answer nor the client id is left."""
    faults = game.world.armada.faults
    if faults.query_lag:
        return False
    faults.forget_client_ids = True
    faults.lose_response("SubmitJobs", game.dice.choice(CODES), times=2)
    game.later(15, lambda: setattr(faults, "forget_client_ids", False))
    return True


def refuse_submissions(game: Game) -> bool:
    game.world.armada.faults.refuse("SubmitJobs", grpc.StatusCode.UNAVAILABLE, times=game.dice.randint(1, 4))
    return True


# Server and network


def restart_server(game: Game) -> bool:
    game.world.armada.disconnect()
    game.world.armada.reconnect()
    return True


def cut_off(game: Game) -> bool:
    """Let nobody reach the server for a while."""
    if not game.may_isolate():
        return False
    game.world.network.do(FaultProxy.refuse)
    game.world.network.do(FaultProxy.reset)
    game.isolate(game.dice.uniform(3, 30), lambda: game.world.network.do(FaultProxy.heal))
    return True


def lose_message_bus(game: Game) -> bool:
    """Let submissions and cancels block, be carried out later, and be forgotten."""
    if not game.may_isolate():
        return False
    faults = game.world.armada.faults
    faults.bus_away = True
    game.isolate(game.dice.uniform(5, 30), lambda: setattr(faults, "bus_away", False))
    return True


def black_hole(game: Game) -> bool:
    """Swallow everything for a while; the connections that were open are lost."""
    if not game.may_isolate():
        return False
    game.world.network.do(FaultProxy.black_hole)

    def heal() -> None:
        game.world.network.do(FaultProxy.reset)
        game.world.network.do(FaultProxy.heal)

    game.isolate(game.dice.uniform(3, 25), heal)
    return True


def reset_connections(game: Game) -> bool:
    game.world.network.do(FaultProxy.reset)
    return True


def slow_network(game: Game) -> bool:
    proxy = game.world.network.proxy
    proxy.delay = 0.3
    game.later(10, lambda: setattr(proxy, "delay", 0.0))
    return True


def refuse_credentials(game: Game) -> bool:
    if not game.may_isolate():
        return False
    faults = game.world.armada.faults
    faults.refuse("*", grpc.StatusCode.UNAUTHENTICATED, "token is expired", times=game.dice.randint(5, 40))
    game.isolate(30, lambda: None)
    faults.break_streams(grpc.StatusCode.UNAUTHENTICATED, "token is expired")
    return True


# Streams and queries


def end_streams(game: Game) -> bool:
    game.world.armada.faults.close_streams()
    return True


def break_streams_often(game: Game) -> bool:
    faults = game.world.armada.faults
    faults.drop_streams_after = 2
    faults.break_streams()
    game.later(10, lambda: setattr(faults, "drop_streams_after", None))
    return True


def repeat_events(game: Game) -> bool:
    faults = game.world.armada.faults
    faults.repeat_events = 2
    game.later(10, lambda: setattr(faults, "repeat_events", 0))
    return True


def lag_queries(game: Game) -> bool:
    faults = game.world.armada.faults
    if faults.forget_client_ids:
        return False
    faults.query_lag = game.dice.uniform(2, 20)
    game.later(20, lambda: setattr(faults, "query_lag", 0.0))
    return True


# Airflow's processes


def kill_worker(game: Game) -> bool:
    found = _victim(game, "running")
    if not found:
        return False
    played, task_id = found
    pids = game.world.newest_worker(played.run, task_id)
    if not pids:
        return False
    played.hits[task_id] += 1
    for pid in pids[:: game.dice.choice([1, 2])][::-1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


def _triggerer(game: Game) -> str | None:
    """Choose a triggerer, as long as none is disturbed already and no kill is under way."""
    if game.stalled or not game.may_isolate() or not all(game.world.airflow[name].running for name in TRIGGERERS):
        return None
    return game.dice.choice(TRIGGERERS)


def restart_triggerer(game: Game) -> bool:
    if name := _triggerer(game):
        game.world.airflow[name].restart()
        game.isolate(20, lambda: None)
    return bool(name)


def kill_triggerer(game: Game) -> bool:
    if name := _triggerer(game):
        game.world.airflow[name].kill9()
        game.world.airflow[name].start()
        game.isolate(20, lambda: None)
    return bool(name)


def stall_triggerer(game: Game) -> bool:
    name = _triggerer(game)
    if not name:
        return False
    game.stalled = True
    game.world.airflow[name].pause()

    def resume() -> None:
        game.world.airflow[name].resume()
        game.stalled = False

    game.later(game.dice.uniform(15, 50), resume)
    return True


# Users and schedulers. Whom they kill has somebody alive who can reach Armada: what else happens, docs/faults.md says.


def _user_victim(game: Game) -> tuple[Played, str] | None:
    found = None if game.isolated else _victim(game, *ALIVE)
    if found:
        game.stay_connected()
    return found


def _somebody_is_told(played: Played, task_id: str) -> bool:
    """Tell whether the end of a task reaches anybody: Airflow tells no trigger that has not started yet."""
    task = played.run.task(task_id)
    if task["state"] != "deferred":
        return True
    lines = played.run.log_text(task_id, task["try_number"]).splitlines()
    begun = [line for line in lines if line.startswith("trigger ") and line.endswith(" starting")]
    # One for each job of the try: a preempted one is deferred again.
    return len(begun) >= sum(line.startswith(("Submitted Armada job", "Following Armada job")) for line in lines)


def _mark(game: Game, state: str, expected: str) -> bool:
    found = _user_victim(game)
    if not found:
        return False
    played, task_id = found
    if not _somebody_is_told(played, task_id):
        return False
    played.expected[task_id] = expected
    try:
        played.run.mark_task(task_id, state)
    except RefusedByAirflow as error:
        if ": 409 " not in str(error):
            raise
        del played.expected[task_id]  # it has ended this way by itself this moment
        return False
    return True


def mark_failed(game: Game) -> bool:
    return _mark(game, "failed", "failed")


def mark_success(game: Game) -> bool:
    return _mark(game, "success", "marked success")


def clear(game: Game) -> bool:
    found = _user_victim(game)
    if found:
        played, task_id = found
        played.repeated.add(task_id)
        played.hits.pop(task_id, None)
        played.run.clear([task_id])
    return bool(found)


def preempt(game: Game) -> bool:
    return _disturb(game, "preempt")


def expire_lease(game: Game) -> bool:
    return _disturb(game, "expire_lease")


def evict(game: Game) -> bool:
    return _disturb(game, "evict")


def return_lease(game: Game) -> bool:
    return _disturb(game, "return_lease", harmless=True)


def _disturb(game: Game, disturbance: str, harmless: bool = False) -> bool:
    found = _running_job(game)
    if not found:
        return False
    played, job = found
    if job.of.task_id != "budget" and not harmless:
        played.hits[job.of.task_id] += 1
    with contextlib.suppress(ValueError):  # it has ended this moment
        game.world.disturb(disturbance, job)
    # The process of a run that was cut short may already have written its last line.
    played.repeated.add(job.of.task_id)
    return True


ALL: dict[str, Callable[[Game], bool]] = {
    "answers to submissions lost": lose_answers,
    "answers lost and client ids forgotten": lose_answers_and_forget,
    "submissions refused": refuse_submissions,
    "server restarted": restart_server,
    "server cut off": cut_off,
    "black hole": black_hole,
    "message bus away": lose_message_bus,
    "connections reset": reset_connections,
    "slow network": slow_network,
    "credentials refused": refuse_credentials,
    "streams ended cleanly": end_streams,
    "streams broken every 2 messages": break_streams_often,
    "events repeated": repeat_events,
    "queries lag": lag_queries,
    "worker killed": kill_worker,
    "triggerer restarted": restart_triggerer,
    "triggerer killed": kill_triggerer,
    "triggerer stalled": stall_triggerer,
    "task marked failed": mark_failed,
    "task marked success": mark_success,
    "task cleared": clear,
    "job preempted": preempt,
    "lease expired": expire_lease,
    "pod evicted": evict,
    "lease returned": return_lease,
}
