"""What the trigger stores, and what it makes of what others have stored."""

from __future__ import annotations

import dataclasses
import json
from pkgutil import resolve_name
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.triggers.armada import ArmadaJobTrigger
from airflow_armada.wait.event import infrastructure_end, make_error_event, make_event
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.task_log import TaskLogReporter
from tests.support.airflow_versions import serde

MINIMAL: dict[str, Any] = {
    "armada_conn_id": "armada_default",
    "queue": "research",
    "job_set_id": "dag.run",
    "job_id": "01k9job",
    "submitted_at": 1.5,
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
times = st.none() | st.floats(min_value=0, max_value=1e10, allow_nan=False)
waits = st.builds(
    JobWait,
    armada_conn_id=texts,
    job=st.builds(JobRef, texts, texts, texts),
    submitted_at=st.floats(min_value=0, max_value=1e10),
    containers=st.lists(texts, max_size=3).map(tuple),
    resubmit_on=st.lists(texts, max_size=2).map(tuple),
    deadline=times,
    queued_deadline=times,
    get_logs=st.booleans(),
    cancel_on_kill=st.booleans(),
    adopted=st.booleans(),
    resubmission=st.integers(min_value=0, max_value=100),
)


def through_the_database(value: Any) -> Any:
    """Send a value the way Airflow takes it: its own serialisation, and JSON in the database."""
    return serde.deserialize(json.loads(json.dumps(serde.serialize(value))))


@given(waits)
def test_another_process_makes_the_same_trigger(wait: JobWait) -> None:
    path, kwargs = ArmadaJobTrigger(**wait.to_dict()).serialize()

    again = resolve_name(path)(**through_the_database(kwargs))

    assert again.wait == wait


def test_only_what_differs_from_the_default_is_stored() -> None:
    _, kwargs = ArmadaJobTrigger(**MINIMAL).serialize()

    assert kwargs == MINIMAL


def test_arguments_of_a_newer_version_are_ignored() -> None:
    trigger = ArmadaJobTrigger(**MINIMAL, invented_next_year=True)

    assert trigger.serialize()[1] == MINIMAL


def test_no_argument_can_hold_a_secret() -> None:
    names = {field.name for field in dataclasses.fields(JobWait)}

    assert not {name for name in names if any(word in name for word in ("token", "password", "secret", "env"))}


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Outcome("succeeded", "j"), ""),
        (Outcome("preempted", "j"), "preempted"),
        (Outcome("failed", "j", cause="Evicted"), "evicted"),
        (Outcome("failed", "j", failure_category="internal", failure_subcategory="lease-expired"), "lease_expired"),
        (Outcome("failed", "j", cause="OOM"), ""),
        (Outcome("cancelled", "j"), ""),
    ],
)
def test_which_ends_are_no_fault_of_the_job(outcome: Outcome, end: str) -> None:
    assert infrastructure_end(outcome) == end


async def test_an_event_survives_the_database() -> None:
    wait = JobWait.from_dict(MINIMAL | {"resubmit_on": ["preempted"]})
    reporter = TaskLogReporter(keep=True)
    reporter.state("something happened")
    await reporter.log_lines("base", [("2026-11-22T10:00:00.123456789Z", "a line")])

    event = make_event(wait, Outcome("preempted", "01k9job", exit_codes={"base": 1}, logs_complete=False), reporter)

    again = through_the_database(event)
    assert JobWait.from_dict(again["wait"]) == wait
    assert Outcome.from_dict(again["outcome"]).exit_codes == {"base": 1}
    assert again["last_lines"] == ["a line"]
    assert again["shown_until"] == {"base": "2026-11-22T10:00:00.123456Z"}
    assert [record["text"] for record in again["records"]] == ["something happened", "a line"]


async def test_an_event_of_a_success_is_small() -> None:
    reporter = TaskLogReporter(keep=True)
    await reporter.log_lines("base", [("2026-11-22T10:00:00Z", f"line {number}") for number in range(1000)])

    event = make_event(
        JobWait.from_dict(MINIMAL | {"resubmit_on": ["preempted"]}), Outcome("succeeded", "01k9job"), reporter
    )

    assert len(json.dumps(event)) < 1000


def test_an_error_is_an_event_too() -> None:
    event = make_error_event(JobWait.from_dict(MINIMAL), ValueError())

    assert event["error"] == "ValueError"
    assert JobWait.from_dict(event["wait"]) == JobWait.from_dict(MINIMAL)


async def test_what_is_kept_is_the_newest_and_bounded() -> None:
    reporter = TaskLogReporter(keep=True)
    await reporter.log_lines("base", [("2026-11-22T10:00:00Z", f"line {number} " + "x" * 200) for number in range(999)])

    kept = reporter.kept_records()

    assert kept[-1]["text"].startswith("line 998 ")
    assert len(json.dumps(kept)) < 40_000


@given(st.lists(st.sampled_from(["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000001Z", "", "yesterday"])))
async def test_fuzz_times_of_a_container_always_rise(stamps: list[str]) -> None:
    reporter = TaskLogReporter(keep=True)

    await reporter.log_lines("base", [(stamp, "same") for stamp in stamps])

    shown = [record["timestamp"] for record in reporter.kept_records()]
    assert shown == sorted(set(shown))
    assert len(shown) == len(stamps)


async def test_what_follows_in_another_log_file_begins_in_the_next_millisecond() -> None:
    reporter = TaskLogReporter(keep=True, shown_until={"base": "2026-11-22T10:00:00.123456Z"})

    await reporter.log_lines("base", [("2026-11-22T10:00:00.123456Z", "rest"), ("2026-11-22T10:00:01Z", "later")])

    assert [record["timestamp"] for record in reporter.kept_records()] == [
        "2026-11-22T10:00:00.124000Z",
        "2026-11-22T10:00:01.000000Z",
    ]


HOSTILE = st.text(st.sampled_from("a\0\ud800\udfff\x1b\n"), max_size=8)


@given(HOSTILE, HOSTILE)
async def test_fuzz_nothing_that_a_database_refuses_reaches_an_event(text: str, name: str) -> None:
    reporter = TaskLogReporter(keep=True)
    reporter.state(f"server says {text}")
    await reporter.log_lines(name, [("2026-11-22T10:00:00Z", text)])
    outcome = Outcome("preempted", "j", reason=text, node=name, exit_codes={name: 3}, logs_complete=False)
    wait = JobWait.from_dict(MINIMAL | {"resubmit_on": ["preempted"], "job_url": text})

    events = make_event(wait, outcome, reporter), make_error_event(wait, ValueError(text))
    stored = json.dumps([*events, ArmadaJobTrigger(**wait.to_dict()).serialize()])

    assert not [one for one in ("\\u0000", "\\ud800", "\\udfff") if one in stored]
