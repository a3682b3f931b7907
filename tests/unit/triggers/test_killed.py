"""How triggers ask Airflow whether their tasks were killed: together, and not more often than it can answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_armada.triggers import killed
from airflow_armada.triggers.killed import TaskStates, is_taken_away, was_killed
from tests.support.trigger_runner import Supervisor, supervised_by, task_instance


async def states_of(*instances: Any) -> list[str | None]:
    states = TaskStates()
    return list(await asyncio.gather(*(states.of(instance) for instance in instances)))


async def test_all_instances_of_a_run_are_asked_for_together() -> None:
    supervisor = Supervisor({"run": {**{f"a_{number}": "failed" for number in range(1500)}, "b_0": "deferred"}})
    with supervised_by(supervisor):
        found = await states_of(*(task_instance("a", number) for number in range(1500)), task_instance("b", 0))

    assert found == [*["failed"] * 1500, "deferred"]
    assert supervisor.asked["GetTaskStates"] == 1


async def test_each_run_is_asked_for_by_itself() -> None:
    supervisor = Supervisor({"one": {"a": "failed"}, "two": {"a": "deferred"}})
    with supervised_by(supervisor):
        found = await states_of(task_instance("a", run_id="one"), task_instance("a", run_id="two"))

    assert found == ["failed", "deferred"]


async def test_a_task_whose_name_looks_like_a_mapped_one_is_asked_for_apart() -> None:
    """``a_1`` is a task of its own, and Airflow's name for the second instance of ``a``."""
    supervisor = Supervisor({"run": {"a_1": "failed"}})
    with supervised_by(supervisor):
        await states_of(task_instance("a", 1), task_instance("a_1"))

    assert supervisor.asked["GetTaskStates"] == 2


async def test_many_tasks_are_asked_for_in_bounded_portions() -> None:
    supervisor = Supervisor({"run": {f"task{number}": "failed" for number in range(250)}})
    with supervised_by(supervisor):
        found = await states_of(*(task_instance(f"task{number}") for number in range(250)))

    assert found == ["failed"] * 250
    assert supervisor.asked["GetTaskStates"] == 3


async def test_nobody_takes_the_answer_to_a_question_that_was_asked_before() -> None:
    """It may have been read from the database before the task was killed."""
    supervisor = Supervisor({"run": {"a_0": "failed", "a_1": "deferred"}}, pause=0.3)
    with supervised_by(supervisor):
        states = TaskStates()
        first = asyncio.create_task(states.of(task_instance("a", 0)))
        await asyncio.sleep(0.1)
        later = asyncio.create_task(states.of(task_instance("a", 1)))

        assert await first == "failed"
        supervisor.states["run"]["a_1"] = "failed"

        assert await later == "failed"
    assert supervisor.asked["GetTaskStates"] == 2


async def test_those_who_give_up_leave_no_question_behind() -> None:
    supervisor = Supervisor({"run": {f"a_{number}": "failed" for number in range(50)}}, pause=0.05)
    with supervised_by(supervisor):
        states = TaskStates()
        for _ in range(3):
            asked = [asyncio.create_task(states.of(task_instance("a", number))) for number in range(50)]
            await asyncio.sleep(0)
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

        assert await states.of(task_instance("a", 7)) == "failed"
    assert supervisor.asked["GetTaskStates"] <= 2


async def test_an_error_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killed, "TRIGGERS_HEAR_OF_TAKEOVERS", False)
    monkeypatch.setattr(killed, "_PATIENCE", killed.Patience(outage=30.0, first=0.01, most=0.01))
    supervisor = Supervisor({"run": {"a": "failed"}})
    supervisor.failures = 3
    with supervised_by(supervisor):
        assert await was_killed(task_instance("a"))


async def test_a_task_whose_state_cannot_be_had_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killed, "TRIGGERS_HEAR_OF_TAKEOVERS", False)
    monkeypatch.setattr(killed, "_PATIENCE", killed.Patience(outage=0.1, first=0.01, most=0.01))
    supervisor = Supervisor({"run": {"a": "failed"}})
    supervisor.failures = 1000
    with supervised_by(supervisor):
        assert not await was_killed(task_instance("a"))


@pytest.mark.parametrize(
    ("hears", "message", "taken"),
    [
        (False, None, True),
        (True, None, False),
        (True, "EOF - shutting down", False),
        (True, "__airflow_user_action__", True),
        (True, "__airflow_reassigned__", False),
    ],
)
def test_how_airflow_tells_that_it_takes_a_trigger_away(
    hears: bool, message: str | None, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killed, "TRIGGERS_HEAR_OF_KILLS", hears)

    assert is_taken_away(asyncio.CancelledError(*([message] if message else []))) is taken


async def test_airflow_3_4_need_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells a trigger that another triggerer has taken over, and the state may be that of a later pass of a loop."""
    monkeypatch.setattr(killed, "TRIGGERS_HEAR_OF_TAKEOVERS", True)
    with supervised_by(Supervisor({"run": {"a": "deferred"}})) as supervisor:
        assert await was_killed(task_instance("a"))
    assert not supervisor.asked


def test_airflow_still_says_it_this_way() -> None:
    """The messages are private to Airflow."""
    runner = pytest.importorskip("airflow.jobs.triggerer_job_runner")
    if not killed.TRIGGERS_HEAR_OF_KILLS:
        pytest.skip("this Airflow says nothing")

    assert runner._USER_ACTION_CANCEL_MSG == killed._USER_ACTION
    if killed.TRIGGERS_HEAR_OF_TAKEOVERS:
        assert runner._REASSIGNED_CANCEL_MSG != killed._USER_ACTION
