"""The simulation is honest: each named case of the chaos suite has the outcome here that it has on a real Airflow."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import tests.chaos
from airflow_armada.client.typings import JobState
from tests.simulation import scripts
from tests.simulation.airflow import SimulatedTask
from tests.simulation.life import live
from tests.simulation.scripts import Script
from tests.simulation.world import World

BOTH, DEFERRED, BLOCKING = (True, False), (True,), (False,)
MODES = {"deferred": DEFERRED, "blocking": BLOCKING, "silent": DEFERRED}


def _case(file: str, test: str, case: str = "") -> str:
    return f"{file}::{test}" + (f"[{case}]" if case else "")


def _cases() -> Iterator[tuple[str, Script, tuple[bool, ...]]]:
    """Give the named cases, each with its script and the modes in which it is lived."""
    test = "test_the_end_is_seen_all_the_same"
    yield from ((_case("test_transport", test, name), script, BOTH) for name, script in scripts.TRANSPORT.items())
    test = "test_the_retry_takes_over_the_one_job"
    for name in (
        *(f"{point}_{mode}" for point in ("intended", "submitted", "noted") for mode in MODES if mode != "silent"),
    ):
        point, _, mode = name.partition("_")
        yield _case("test_worker_killed", test, name), scripts.KILLED[point], MODES[mode]
    for point in ("deferring", "resuming", "finishing"):
        yield _case("test_worker_killed", test, point), scripts.KILLED[point], DEFERRED
    yield _case("test_worker_killed", test, "supervisor"), scripts.KILLED["submitted"], DEFERRED
    yield _case("test_worker_killed", test, "following"), scripts.KILLED["following"], BLOCKING
    test = "test_the_next_try_returns_the_result_of_the_one_job"
    for point, mode in itertools.product(("noted", "deferring", "resuming", "finishing"), ("deferred", "silent")):
        yield _case("test_results", test, f"{point}_{mode}"), scripts.RESULTS[point], DEFERRED
    yield _case("test_results", test, "noted_blocking"), scripts.RESULTS["noted"], BLOCKING
    yield _case("test_results", test, "following_blocking"), scripts.RESULTS["following"], BLOCKING
    for test, name in RESULT_TESTS.items():
        yield (
            _case("test_results", test),
            scripts.RESULTS[name],
            DEFERRED if name in ("triggerer killed", "gone with its pod") else BOTH,
        )
    test = "test_jobs_are_adopted_or_replaced_by_rule"
    for name in ("adopts_running", "adopts_succeeded", "never_adopts", "adopts_only_running"):
        yield _case("test_retried", test, name), scripts.RETRIED[name], DEFERRED
    for mode in ("deferred", "blocking"):
        yield _case("test_retried", test, f"replaces_failed_{mode}"), scripts.RETRIED["replaces_failed"], MODES[mode]
    test = "test_the_budget_is_used_within_the_try"
    for mode in ("deferred", "blocking"):
        yield _case("test_ends", test, f"preempted_{mode}"), scripts.ENDS["preempted"], MODES[mode]
    for name in ("preempted_too_often", "preempted_without_budget", "evicted", "lease_expired"):
        yield _case("test_ends", test, name), scripts.ENDS[name], DEFERRED
    for mode in ("deferred", "blocking"):
        for state in ("failed", "success"):
            case = _case("test_killed_by_user", "test_marking_a_task_cancels_its_job", f"{state}-{mode}")
            yield case, scripts.USERS[f"marked {state}"], MODES[mode]
        for test, name in USER_TESTS_BY_MODE.items():
            yield _case("test_killed_by_user", test, mode), scripts.USERS[name], MODES[mode]
    for test, (name, modes) in USER_TESTS.items():
        yield _case("test_killed_by_user", test), scripts.USERS[name], modes
    test = "test_a_triggerer_that_is_replaced"
    for name, script in {"restart": "restarted", "kill": "killed", "restart_all": "all restarted"}.items():
        yield _case("test_triggerers", test, name), scripts.TRIGGERERS[script], DEFERRED
    for test, name in TRIGGERER_TESTS.items():
        yield _case("test_triggerers", test), scripts.TRIGGERERS[name], DEFERRED
    test = "test_a_task_whose_submission_was_not_answered_has_one_job"
    yield from ((_case("test_submits", test, name), script, BOTH) for name, script in scripts.SUBMITS.items())
    for test, name in BUS_TESTS.items():
        yield _case("test_message_bus", test), scripts.BUS[name], BOTH


RESULT_TESTS = {
    "test_a_triggerer_is_killed_after_it_has_seen_the_result": "triggerer killed",
    "test_a_job_that_is_submitted_again_after_its_preemption_prints_the_result_that_counts": "preempted",
    "test_a_log_service_that_refuses_around_the_end_is_waited_for": "log service refuses",
    "test_a_retry_whose_job_has_succeeded_and_whose_result_is_gone_with_its_pod_makes_it_anew": "gone with its pod",
}
USER_TESTS_BY_MODE = {
    "test_clearing_a_task_replaces_its_job": "cleared",
    "test_cancel_on_kill_false_leaves_the_job_and_says_so": "left alone",
    "test_execution_timeout_holds_across_the_deferral": "timed out",
}
USER_TESTS = {
    "test_a_worker_that_is_told_to_end_cancels_its_job": ("terminated", BLOCKING),
    "test_a_deferral_that_airflow_times_out_ends_the_job": ("deferral timed out", DEFERRED),
    "test_a_failed_run_takes_its_jobs_with_it": ("run failed", BOTH),
    "test_a_server_that_is_away_hears_of_the_kill_when_it_is_back": ("server away", DEFERRED),
    "test_a_new_try_that_is_quicker_than_the_old_trigger_keeps_its_own_job": ("new try quicker", DEFERRED),
    "test_a_deleted_run_takes_its_job_with_it": ("deleted", DEFERRED),
}
TRIGGERER_TESTS = {
    "test_a_stalled_triggerer_that_wakes_after_another_took_over": "stalled, then taken over",
    "test_a_triggerer_that_wakes_after_the_jobs_have_ended": "stalled until the end",
}
BUS_TESTS = {
    "test_tasks_that_submit_while_the_message_bus_is_away_have_one_job_each": "away",
    "test_of_the_copies_of_workers_that_died_while_the_message_bus_was_away_one_runs": "away, and workers die",
}
OTHERS = {
    "test_no_record_contradicts_another": "the three records of every life here are compared",
    "test_a_job_is_cancelled_once": "each script says how many cancels there are",
    "test_a_job_that_queues_too_long_is_cancelled_with_the_schedulers_reason": "below, of two tasks with two ends",
    "test_no_short_job_fails_its_task": "below, for each length",
}
"""Tests of the chaos suite that are no case of their own."""

CASES = {(name, deferrable): script for name, script, modes in _cases() for deferrable in modes}


def named_cases() -> Iterator[str]:
    """Give every case of the chaos suite, as pytest names it."""
    for module in pkgutil.iter_modules(tests.chaos.__path__):
        if module.name.startswith("test_"):
            content = vars(importlib.import_module(f"tests.chaos.{module.name}"))
            for name, test in content.items():
                if name.startswith("test_") and getattr(test, "__module__", "").endswith(module.name):
                    yield from (f"{module.name}::{name}{case}" for case in _parameters(test))


def _parameters(test: Any) -> list[str]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if not marks:
        return [""]
    found = [[_id(mark, index, value) for index, value in enumerate(mark.args[1])] for mark in marks]
    return [f"[{'-'.join(case)}]" for case in itertools.product(*found)]


def _id(mark: Any, index: int, value: Any) -> str:
    ids = mark.kwargs.get("ids")
    return str(ids[index] if ids else getattr(value, "__name__", value))


def play(script: Script, *, deferrable: bool) -> tuple[list[SimulatedTask], World, list[str]]:
    """Let a script happen, and give what is left and what is wrong with it."""
    left: list[Any] = []

    def prepare(world: World, tasks: list[SimulatedTask]) -> None:
        left[:] = [tasks, world]
        script.begin(world, tasks)

    record = live(script.life(deferrable=deferrable), prepare)
    return left[0], left[1], record.broken


def states(world: World, task: SimulatedTask) -> tuple[str, ...]:
    """Give the states of a task's jobs, the oldest first; but not of copies that were cancelled."""
    jobs = [job for job in world.jobs if _index(job) == task.ti.map_index]
    return tuple(_state(job) for job in jobs if not (_state(job) == "CANCELLED" and _is_copy(job, jobs)))


def _is_copy(job: Any, jobs: list[Any]) -> bool:
    return sum(one.spec.client_id == job.spec.client_id for one in jobs) > 1


def _state(job: Any) -> str:
    return JobState(int(job.history[-1][1])).name


def _index(job: Any) -> int:
    return int(job.spec.annotations["airflow.apache.org/map-index"])


def test_every_named_case_of_the_chaos_suite_is_lived_here() -> None:
    lived = {name for name, _ in CASES}
    cases = set(named_cases())

    assert cases, "the chaos suite has no case"
    assert lived - cases == set(), "these are no cases of the chaos suite"
    assert {name for name in cases - lived if name.partition("::")[2] not in OTHERS} == set()


@pytest.mark.parametrize(("name", "deferrable"), CASES)
def test_a_named_case_has_the_same_outcome(name: str, deferrable: bool) -> None:
    script = CASES[name, deferrable]

    tasks, world, broken = play(script, deferrable=deferrable)

    assert broken == [], world.table
    for task in tasks:
        assert (task.ti.state, task.ti.try_number, states(world, task)) == (script.task, script.number, script.jobs)
        if script.returned is not None:
            assert task.returned == script.returned
    if script.cancels is not None:
        assert len(world.cancels) == script.cancels * len(tasks)


@pytest.mark.parametrize("seconds", scripts.SHORT)
@pytest.mark.parametrize("deferrable", [True, False])
def test_no_short_job_fails_its_task(seconds: str, deferrable: bool) -> None:
    tasks, _, broken = play(scripts.SHORT[seconds], deferrable=deferrable)

    assert broken == []
    assert [(task.ti.state, task.ti.try_number) for task in tasks] == [("success", 1)]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_queues_too_long_is_cancelled_with_the_schedulers_reason(deferrable: bool) -> None:
    tasks, world, broken = play(scripts.QUEUED, deferrable=deferrable)

    assert broken == []
    ends: Mapping[str, SimulatedTask] = {task.ti.state: task for task in tasks}
    assert states(world, ends["success"]) == ("SUCCEEDED",)
    assert states(world, ends["failed"]) == ("CANCELLED",)
    assert "no node has room for it now" in str(ends["failed"].end)
