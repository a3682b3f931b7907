"""What the real control plane told of whole scenarios ends a task as a person has looked at, in both modes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from airflow_armada import exceptions
from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.wait.event import make_event
from airflow_armada.wait.following import wait_for_job
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.task_log import TaskLogReporter
from tests.integration.follow.scripted import ScriptedArmada, scripted_armada
from tests.support.recordings import FOLDER, Recording, recordings

EXPECTED = json.loads((FOLDER / "outcomes.json").read_text())
ENDED = [one for one in recordings() if one.name != "sim_pod_vanished"]
ERRORS = {
    "failed": exceptions.ArmadaJobFailed,
    "rejected": exceptions.ArmadaJobRejected,
    "preempted": exceptions.ArmadaJobPreempted,
    "cancelled": exceptions.ArmadaJobCancelled,
}
BY_CAUSE = {
    "OOM": exceptions.ArmadaJobOutOfMemory,
    "Evicted": exceptions.ArmadaJobEvicted,
    "DeadlineExceeded": exceptions.ArmadaJobDeadlineExceeded,
}

modes = pytest.mark.parametrize("triggerer", [True, False], ids=["deferrable", "blocking"])


async def event(
    armada: ScriptedArmada, recording: Recording, job_id: str, age: float, triggerer: bool
) -> dict[str, Any]:
    """Wait for a job as a trigger does, or a worker, and give the event as the database keeps it."""
    job = JobRef(recording.queue, recording.job_set, job_id)
    wait = JobWait("armada_default", job, time.time() - age, get_logs=False)
    reporter = TaskLogReporter()
    source = ArmadaHook(wait.armada_conn_id).source()
    outcome = await asyncio.wait_for(wait_for_job(wait, armada.settings(), source, reporter, budget=triggerer), 60)
    await reporter.flush()
    stored: dict[str, Any] = json.loads(json.dumps(make_event(wait, outcome, reporter)))
    return stored


async def events(armada: ScriptedArmada, age: float, triggerer: bool) -> list[tuple[dict[str, Any], Outcome]]:
    pairs = [(recording, job_id) for recording in ENDED for job_id in recording.job_ids]
    told = await asyncio.gather(*(event(armada, *pair, age, triggerer) for pair in pairs))
    expected = [EXPECTED[recording.name][job_id] for recording, job_id in pairs]
    return [(one, Outcome.from_dict(each["outcome"])) for one, each in zip(expected, told, strict=True)]


def assert_ends_so(outcome: Outcome, expected: dict[str, Any]) -> None:
    assert outcome.status == expected["status"]
    if outcome.status == "succeeded":
        return
    error = exceptions.job_error(outcome)
    assert type(error) is BY_CAUSE.get(expected.get("cause", ""), ERRORS[outcome.status])
    assert re.sub(r".*failed with exit code \d+ because \w+:? ?", "", outcome.reason.partition("\n")[0]) in str(error)


@modes
async def test_a_job_that_is_followed_from_its_beginning(triggerer: bool) -> None:
    async with scripted_armada() as armada:
        for recording in ENDED:
            armada.replay(recording.messages)
        for expected, outcome in await events(armada, 0.0, triggerer):
            assert_ends_so(outcome, expected)
            told = outcome.to_dict()
            assert {name: told.get(name) for name in expected if name != "text"} == {
                name: value for name, value in expected.items() if name != "text"
            }


@modes
async def test_a_job_that_has_ended_long_before_anybody_follows_it(triggerer: bool) -> None:
    async with scripted_armada() as armada:
        for recording in ENDED:
            armada.replay(recording.messages, at=time.time() - 3600)
            for job_id in recording.job_ids:
                armada.details[job_id] = recording.details(job_id)
                armada.errors[job_id] = recording.error(job_id)
        for expected, outcome in await events(armada, 3700.0, triggerer):
            assert_ends_so(outcome, expected)
            assert outcome.exit_codes.items() <= expected.get("exit_codes", {}).items()


@modes
async def test_a_job_of_which_only_the_record_is_left(triggerer: bool) -> None:
    async with scripted_armada() as armada:
        for recording in ENDED:
            for job_id in recording.job_ids:
                armada.details[job_id] = recording.details(job_id)
                armada.errors[job_id] = recording.error(job_id)
        for expected, outcome in await events(armada, 3700.0, triggerer):
            assert_ends_so(outcome, expected)
            assert outcome.reason in expected.get("reason", "")
