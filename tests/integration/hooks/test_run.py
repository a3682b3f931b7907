"""``await hook.run(...)``: a job of a task's async code, from its submission to its end, whatever comes between."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context

from airflow_armada.api.methods import Submit
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.exceptions import (
    ArmadaJobFailed,
    ArmadaJobPreempted,
    ArmadaJobQueuedTooLong,
    ArmadaJobRejected,
    ArmadaJobTimedOut,
    ArmadaRefused,
)
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.hooks import async_jobs
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.jobs.build import build
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_stack import armada_connection
from tests.support.components import wait_until

pytestmark = pytest.mark.timeout(300)
SMALL: dict[str, Any] = {"image": "busybox:1.37", "container_resources": {"cpu": "50m", "memory": "16Mi"}}
ENDED = {JobState.CANCELLED.value, JobState.SUCCEEDED.value, JobState.FAILED.value}


@pytest.fixture
def armada(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=2, memory="2Gi") as server:
        server.create_queue("q")
        monkeypatch.setenv("AIRFLOW_CONN_ARMADA_DEFAULT", armada_connection(server.target))
        monkeypatch.setenv("AIRFLOW__ARMADA__CONNECTION_CACHE_TTL", "0")
        yield server


class Task:
    """Stands in for the task of a context: it is told of kills."""

    retries = 1

    def __init__(self) -> None:
        self.heard = 0

    def on_kill(self) -> None:
        self.heard += 1


@pytest.fixture
def context() -> Iterator[Any]:
    async_jobs._names.clear()
    names = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1, "max_tries": 1}
    values: Any = {"ti": SimpleNamespace(**names, start_date=None, task=Task())}
    with set_current_context(values):
        yield values


def sh(script: str, **arguments: Any) -> Any:
    return ArmadaHook().run(queue="q", cmds=["sh", "-c"], arguments=[script], **{**SMALL, **arguments})


def states(armada: StandaloneArmada) -> list[int]:
    return sorted(job.state for job in armada.jobs.values())


async def until_running(armada: StandaloneArmada) -> None:
    await asyncio.to_thread(wait_until, lambda: JobState.RUNNING.value in states(armada), "the job to run", 120)


async def until_states(armada: StandaloneArmada, expected: list[int]) -> None:
    """A cancel takes effect a moment after Armada has taken it."""
    await asyncio.to_thread(wait_until, lambda: states(armada) == sorted(expected), f"the states {expected}", 60)


async def until_ended(armada: StandaloneArmada) -> None:
    await asyncio.to_thread(wait_until, lambda: set(states(armada)) <= ENDED, "the jobs to end", 120)


async def test_a_job_is_run_to_its_end_and_its_outcome_returned(armada: StandaloneArmada, context: Any) -> None:
    lines: list[str] = []

    outcome = await sh("echo one; echo two", log=lines.append)

    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.queue, outcome.job_set_id) == ("succeeded", "q", "d.r")
    assert lines == ["one", "two"]
    annotations = armada.jobs[outcome.job_id].spec.annotations
    assert annotations["airflow.apache.org/task-id"] == "t"
    assert annotations["airflow.apache.org/job"] == "1"


async def test_a_request_item_is_a_job_as_well(armada: StandaloneArmada, context: Any) -> None:
    item = build(cmds=["sh", "-c"], arguments=["exit 0"], **SMALL)

    assert (await ArmadaHook().run(item, queue="q")).status == "succeeded"


async def test_what_the_call_does_not_say_the_connection_does(
    armada: StandaloneArmada, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {"default_queue": "q", "default_namespace": "team-a", "default_labels": {"team": "a"}}
    monkeypatch.setenv("AIRFLOW_CONN_ARMADA_DEFAULT", armada_connection(armada.target, **defaults))

    outcome = await ArmadaHook().run(cmds=["true"], **SMALL)

    job = armada.jobs[outcome.job_id]
    assert (job.queue, job.spec.namespace, job.spec.labels["team"]) == ("q", "team-a", "a")


async def test_the_log_is_shown_in_the_task_log_by_the_names_of_the_jobs(
    armada: StandaloneArmada, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.gather(sh("echo by the first", name="first"), sh("echo by the second", name="second"))

    shown = capsys.readouterr().out
    assert "by the first" in shown
    assert "container=first" in shown
    assert "container=second" in shown


async def test_many_jobs_run_at_once_over_one_stream_and_give_their_results(
    armada: StandaloneArmada, context: Any
) -> None:
    results = await asyncio.gather(*(sh(f"echo ::armada-result::{n}", get_result=True) for n in range(5)))

    assert results == [0, 1, 2, 3, 4]
    assert len({job.spec.client_id for job in armada.jobs.values()}) == 5


async def test_how_a_job_fails_is_a_typed_exception(armada: StandaloneArmada, context: Any) -> None:
    with pytest.raises(ArmadaJobFailed, match="Exit code 3") as failed:
        await sh("echo it broke; exit 3")

    assert "it broke" in str(failed.value)
    assert failed.value.outcome.exit_codes == {"base": 3}


async def test_a_job_that_can_never_run_is_rejected(armada: StandaloneArmada, context: Any) -> None:
    with pytest.raises(ArmadaJobRejected):
        await sh("echo never", container_resources={"cpu": "1000", "memory": "16Mi"})


async def test_what_is_no_job_is_refused_before_any_call(armada: StandaloneArmada, context: Any) -> None:
    with pytest.raises(ArmadaRefused, match="image"):
        await ArmadaHook().run(queue="q", cmds=["true"])
    with pytest.raises(TypeError, match="no argument 'command'"):
        await sh("true", command=["true"])
    with pytest.raises(ValueError, match="execution_timeout must be more than 0 seconds"):
        await sh("true", execution_timeout=0)
    with pytest.raises(ArmadaRefused, match="there is no Airflow connection 'nowhere'"):
        await ArmadaHook("nowhere").run(queue="q", cmds=["true"], **SMALL)

    assert not armada.jobs


async def test_two_jobs_of_one_name_are_refused(armada: StandaloneArmada, context: Any) -> None:
    await sh("true", name="twin")

    with pytest.raises(ValueError, match="already run a job called 'twin'"):
        await sh("true", name="twin")


async def test_a_call_that_is_cancelled_cancels_its_job(armada: StandaloneArmada, context: Any) -> None:
    task = asyncio.create_task(sh("sleep 600"))
    await until_running(armada)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_states(armada, [JobState.CANCELLED.value])


async def test_a_job_that_fails_in_a_task_group_cancels_its_siblings(armada: StandaloneArmada, context: Any) -> None:
    async def fan_out() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sh("sleep 600"))
            await until_running(armada)
            group.create_task(sh("exit 1"))

    with pytest.raises(ExceptionGroup) as failed:
        await fan_out()

    assert [type(error) for error in failed.value.exceptions] == [ArmadaJobFailed]
    await until_states(armada, [JobState.CANCELLED.value, JobState.FAILED.value])


async def test_a_time_limit_cancels_the_job(armada: StandaloneArmada, context: Any) -> None:
    with pytest.raises(ArmadaJobTimedOut):
        await sh("sleep 600", execution_timeout=3)

    await until_states(armada, [JobState.CANCELLED.value])


async def test_a_job_that_waits_too_long_for_its_start_is_cancelled(armada: StandaloneArmada, context: Any) -> None:
    blocking = asyncio.create_task(sh("sleep 600", container_resources={"cpu": "2", "memory": "16Mi"}))
    await until_running(armada)

    with pytest.raises(ArmadaJobQueuedTooLong):
        await sh("true", queued_timeout=1, container_resources={"cpu": "2", "memory": "16Mi"})

    blocking.cancel()
    await asyncio.gather(blocking, return_exceptions=True)
    await until_states(armada, [JobState.CANCELLED.value] * 2)


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_preempted_job_is_submitted_again_as_often_as_wanted(
    armada: StandaloneArmada, context: Any, retries: int
) -> None:
    script = "[ $AIRFLOW_CTX_RESUBMISSION = 1 ] || sleep 600"
    preemptible = {"priority_class_name": "armada-preemptible", "preemption_retries": retries}
    task = asyncio.create_task(sh(script, **preemptible))
    await until_running(armada)

    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        ArmadaClient(channel).preempt_jobs("q", "d.r", next(iter(armada.jobs)))

    if retries:
        assert (await task).status == "succeeded"
    else:
        with pytest.raises(ArmadaJobPreempted):
            await task
    assert len(armada.jobs) == retries + 1


async def test_a_submission_that_is_not_answered_makes_one_job(armada: StandaloneArmada, context: Any) -> None:
    armada.faults.forget_client_ids = True
    armada.faults.lose_response("SubmitJobs")

    assert (await sh("true")).status == "succeeded"
    assert len(armada.jobs) == 1


async def test_a_call_that_is_cancelled_before_its_submission_is_answered_leaves_no_job(
    armada: StandaloneArmada, context: Any
) -> None:
    armada.faults.bus_away = True
    task = asyncio.create_task(sh("sleep 600"))
    await asyncio.to_thread(wait_until, lambda: armada.calls[Submit.SUBMIT_JOBS.path], "the submission", 120)

    task.cancel()
    await asyncio.sleep(0.2)
    armada.faults.bus_away = False
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_states(armada, [JobState.CANCELLED.value])


async def test_a_retry_cancels_what_the_try_before_has_left(armada: StandaloneArmada, context: Any) -> None:
    left = asyncio.create_task(sh("sleep 600"))
    await until_running(armada)
    first = next(iter(armada.jobs))

    async_jobs._names.clear()  # the worker of the first try has died, and another runs the second
    context["ti"].try_number = 2
    second = await sh("true")

    assert armada.jobs[first].state == JobState.CANCELLED.value
    assert armada.jobs[second.job_id].state == JobState.SUCCEEDED.value
    await asyncio.gather(left, return_exceptions=True)


async def test_a_kill_of_the_task_cancels_the_job_and_is_told_to_the_task(
    armada: StandaloneArmada, context: Any
) -> None:
    task = asyncio.create_task(sh("sleep 600"))
    await until_running(armada)

    context["ti"].task.on_kill()  # as Airflow's handler of SIGTERM does

    await until_ended(armada)
    await until_states(armada, [JobState.CANCELLED.value])
    assert context["ti"].task.heard == 1
    with pytest.raises(Exception, match="The task was killed"):
        await task


SCRIPT = """
import asyncio
from airflow_armada.hooks.armada import ArmadaHook

def sh(script):
    return ArmadaHook().run(queue="q", job_set_id="s", cmds=["sh", "-c"], arguments=[script], image="busybox:1.37",
                            container_resources={"cpu": "50m", "memory": "16Mi"})

async def work():
    await asyncio.gather(sh("sleep 600"), sh("sleep 3; exit 1"))

loop = asyncio.new_event_loop()
loop.run_until_complete(work())
"""


def test_a_job_that_nobody_waits_for_any_more_ends_with_the_process(armada: StandaloneArmada) -> None:
    # Airflow leaves the loop of an async task as it stands.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert "ArmadaJobFailed" in done.stderr
    expected = sorted([JobState.CANCELLED.value, JobState.FAILED.value])
    wait_until(lambda: states(armada) == expected, "the cancel to take effect", 60)
