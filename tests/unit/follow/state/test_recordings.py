"""What the real control plane told of whole scenarios is folded into the outcomes that a person has looked at.

They stand in ``tests/recorded/outcomes.json``, with the line of the task log; times and ids are those of the day.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.state import job_details
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.outcome import to_outcome
from airflow_armada.follow.state.progress import NEW, JobProgress
from airflow_armada.follow.state.texts import phase_text
from tests.support.recordings import FOLDER, Recording, recordings

EXPECTED = json.loads((FOLDER / "outcomes.json").read_text())
SCENARIOS = pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.name)


def replayed(recording: Recording, job_id: str) -> JobProgress:
    known = NEW
    for kind, event in recording.events(job_id):
        known = fold(known, kind, event)
    return known


def facts(recording: Recording, job_id: str, known: JobProgress) -> dict[str, Any]:
    job = FollowedJob(JobRef(recording.queue, recording.job_set, job_id), 0.0)
    return to_outcome(job, known, known.end or "timed_out").to_dict()


@SCENARIOS
def test_the_events_lead_to_the_outcome(recording: Recording) -> None:
    for job_id in recording.job_ids:
        known = replayed(recording, job_id)
        told = {"text": phase_text(known), **facts(recording, job_id, known)}
        expected = EXPECTED[recording.name][job_id]

        assert {name: told.get(name) for name in expected} == expected
        assert ("exit_codes" in told, "cause" in told) == ("exit_codes" in expected, "cause" in expected)


@SCENARIOS
def test_events_that_come_twice_change_nothing(recording: Recording) -> None:
    for job_id in recording.job_ids:
        once = replayed(recording, job_id)
        again = once
        for kind, event in recording.events(job_id)[-2:]:
            again = fold(again, kind, event)

        assert again._replace(notes=0, note="") == once._replace(notes=0, note="")


@SCENARIOS
def test_the_record_alone_leads_to_the_same_end(recording: Recording) -> None:
    for job_id in recording.job_ids:
        known = job_details.updated(NEW, recording.details(job_id), recording.error(job_id))
        told, expected = facts(recording, job_id, known), EXPECTED[recording.name][job_id]

        assert (told["status"], told.get("cause")) == (expected["status"], expected.get("cause"))
        assert told.get("reason", "") in expected.get("reason", "")
        assert expected.get("exit_codes", {}).items() >= told.get("exit_codes", {}).items()


@pytest.mark.parametrize("recording", [one for one in recordings() if one.name.startswith("retry_policy")], ids=str)
def test_with_retry_policies_the_text_alone_tells_the_exit_code(recording: Recording) -> None:
    (job_id,) = recording.job_ids

    assert replayed(recording, job_id).exit_codes["main"] in (3, 75)
