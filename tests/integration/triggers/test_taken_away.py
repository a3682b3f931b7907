"""Airflow's own runner takes triggers away: the jobs of killed tasks are cancelled, and no other."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_armada._compat import TRIGGERS_HEAR_OF_KILLS, TRIGGERS_HEAR_OF_TAKEOVERS
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.support.components import wait_until
from tests.support.trigger_runner import Runner, StuckLog, Supervisor, supervised_by, task_instance


def submitted(armada: StandaloneArmada, count: int) -> list[str]:
    """Submit jobs that nobody ends; most of them wait for a node."""
    spec = JobSpec(image="busybox:1.37", cmds=["sleep", "600"], container_resources={"cpu": "1", "memory": "16Mi"})
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        items = [build_request(spec).item for _ in range(count)]
        return [item.job_id for item in ArmadaClient(channel).submit_jobs("q", "set", items).job_response_items]


def followers(jobs: list[str], **arguments: bool) -> list[ArmadaJobTrigger]:
    triggers = []
    for number, job in enumerate(jobs):
        trigger = ArmadaJobTrigger(
            armada_conn_id="armada_default",
            queue="q",
            job_set_id="set",
            job_id=job,
            submitted_at=time.time(),
            get_logs=False,
            **arguments,
        )
        trigger.task_instance = task_instance("job", number)
        triggers.append(trigger)
    return triggers


def states(count: int, state: str | None) -> dict[str, dict[str, str | None]]:
    return {"run": {f"job_{number}": state for number in range(count)}}


def cancelled(armada: StandaloneArmada, jobs: list[str]) -> list[str]:
    return [job for job in jobs if armada.jobs[job].history[-1][1] == JobState.CANCELLED.value]


async def all_cancelled(armada: StandaloneArmada, jobs: list[str]) -> None:
    await asyncio.to_thread(wait_until, lambda: len(cancelled(armada, jobs)) == len(jobs), "all cancels", 90)


async def test_a_second_cancel_stops_nothing(armada: StandaloneArmada) -> None:
    """Airflow repeats its cancel each second, and awaits a log line before it calls ``on_kill``."""
    jobs, runner = submitted(armada, 1), Runner()
    with supervised_by(Supervisor(states(1, "failed"))):
        runner.start(*followers(jobs))
        await asyncio.sleep(0.5)
        runner.airflow.log = StuckLog()

        await runner.cancel_all()

        await all_cancelled(armada, jobs)


async def test_three_hundred_tasks_killed_at_once_leave_no_job(
    armada: StandaloneArmada, capfd: pytest.CaptureFixture[str]
) -> None:
    """Some twenty of them say so: Airflow reads so slowly what triggers write that all others would wait."""
    jobs, runner = submitted(armada, 300), Runner()
    begun = time.monotonic()
    with supervised_by(Supervisor(states(300, "failed"), pause=0.05)) as supervisor:
        runner.start(*followers(jobs))
        await asyncio.sleep(1.0)

        await runner.cancel_all(every=1.0)

        await all_cancelled(armada, jobs)
    assert supervisor.asked["GetTaskStates"] < 30
    output = "".join(capfd.readouterr())
    assert 1 <= output.count("The task was killed; cancelled") <= 21 + time.monotonic() - begun
    assert output.count("Airflow has taken the trigger") <= 21 + time.monotonic() - begun


async def test_triggers_that_another_triggerer_has_taken_over_cancel_nothing(armada: StandaloneArmada) -> None:
    jobs, runner = submitted(armada, 20), Runner()
    with supervised_by(Supervisor(states(20, "deferred"))) as supervisor:
        runner.start(*followers(jobs))
        await asyncio.sleep(0.5)

        await runner.cancel_all(taken_over=True)

        if not TRIGGERS_HEAR_OF_TAKEOVERS:
            await asyncio.to_thread(wait_until, lambda: supervisor.asked["GetTaskStates"] > 0, "the question", 30)
        await asyncio.sleep(1.0)
    assert cancelled(armada, jobs) == []


@pytest.mark.parametrize("answer", [{}, {"run": {"other": "deferred"}}, states(1, None)])
async def test_a_task_instance_that_is_gone_or_cleared_was_killed(
    armada: StandaloneArmada, answer: dict[str, dict[str, str | None]]
) -> None:
    """A deleted run has no task instance; a cleared one has no state, for long where its DAG is paused."""
    jobs, runner = submitted(armada, 1), Runner()
    with supervised_by(Supervisor(answer)):
        runner.start(*followers(jobs))
        await asyncio.sleep(0.5)

        await runner.cancel_all()

        await all_cancelled(armada, jobs)


@pytest.mark.skipif(not TRIGGERS_HEAR_OF_KILLS, reason="this Airflow tells no stop from a kill")
async def test_a_triggerer_that_stops_cancels_nothing(armada: StandaloneArmada) -> None:
    jobs, runner = submitted(armada, 1), Runner()
    with supervised_by(Supervisor(states(1, "failed"))) as supervisor:
        runner.start(*followers(jobs))
        await asyncio.sleep(0.5)

        for task in runner.tasks:
            task.cancel()
        await asyncio.gather(*runner.tasks, return_exceptions=True)

        await asyncio.sleep(0.5)
    assert not supervisor.asked
    assert cancelled(armada, jobs) == []
