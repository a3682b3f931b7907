"""Whatever a server says of a job: it is folded, told in lines that a log takes, and put into any database.

Seconds in the unit tests; as long as wanted with `make fuzz`.
"""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import event_pb2, job_pb2
from airflow_armada.api.decode import decode
from airflow_armada.client.foreign_text import storable
from airflow_armada.client.job_ref import JobRef, created_at
from airflow_armada.client.timestamps import moment, nanoseconds, rfc3339
from airflow_armada.exceptions import job_error
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.state import job_details
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.outcome import STATUSES, Outcome, to_outcome
from airflow_armada.follow.state.progress import NEW, JobProgress
from airflow_armada.follow.state.texts import addresses_text, phase_text
from airflow_armada.follow.stream.slim_events import SlimEvent, time_of
from airflow_armada.standalone.store.message_id import parse_message_id
from tests.support.messages import messages

JOB = FollowedJob(JobRef("q", "s", "j"), 0.0)
KINDS = tuple(event_pb2.EventMessage.DESCRIPTOR.oneofs_by_name["events"].fields)
DIGITS = st.text("0123456789", min_size=1, max_size=30) | st.integers(1, 9).map(lambda digit: str(digit) * 5000)
IDS = st.text(max_size=30) | st.lists(DIGITS | st.text(max_size=3), max_size=5).map(":".join)
STAMPS = st.text(max_size=40) | st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?(Z|[+-].*)?"
)


def check(known: JobProgress) -> None:
    """Tell all that the task would be told."""
    texts = [storable(text) for text in (phase_text(known), addresses_text(known), known.note)]
    for status in [known.end] if known.end else sorted(STATUSES):
        outcome = to_outcome(JOB, known, status)
        stored = json.dumps(outcome.to_dict())
        assert Outcome.from_dict(json.loads(stored)) == outcome
        assert "\\u0000" not in stored
        texts.append(str(job_error(outcome)))
    for text in texts:
        text.encode()
        assert "\0" not in text


@given(
    st.lists(
        st.sampled_from(KINDS).flatmap(
            lambda field: messages(field.message_type._concrete_class).map(lambda body: (field.name, body))
        ),
        max_size=6,
    )
)
def test_fuzz_any_events_are_the_life_of_a_job(events: list[tuple[str, Any]]) -> None:
    check(reduce(lambda known, event: fold(known, *event), events, NEW))


@given(st.lists(st.binary(max_size=100), max_size=3))
def test_fuzz_any_bytes_are_events_of_a_job_or_none(raws: list[bytes]) -> None:
    known = NEW
    for raw in raws:
        try:
            message = decode(SlimEvent, raw)
        except DecodeError:
            continue
        assert time_of(message.id) >= 0
        if kind := message.message.WhichOneof("events"):
            known = fold(known, kind, getattr(message.message, kind))
    check(known)


@given(messages(job_pb2.JobDetails), st.text(max_size=30))
def test_fuzz_any_record_is_a_state_of_a_job(details: Any, error: str) -> None:
    known = job_details.updated(NEW, details, error)

    check(known)
    assert job_details.updated(known, details, error) == known


@given(IDS)
def test_fuzz_any_text_is_an_id_or_none(text: str) -> None:
    assert 0 <= time_of(text) < 1e15
    created = created_at(text)
    assert created is None or created >= 0
    try:
        position = parse_message_id(text)
    except ValueError:
        return
    assert all(-(2**63) <= number < 2**63 for number in position)


@given(STAMPS, st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_fuzz_any_time_is_a_time_or_none(text: str, seconds: int, nanos: int) -> None:
    from airflow_armada.api import timestamp_pb2

    assert isinstance(nanoseconds(text), int)
    read = moment(text)
    assert read is None or read.tzinfo is not None
    written = rfc3339(timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos))
    assert not written or nanoseconds(written) == seconds * 10**9 + nanos // 1000 * 1000
