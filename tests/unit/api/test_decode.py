"""Messages are read in spite of texts that are not UTF-8, and nothing else is read."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import event_pb2, job_pb2
from airflow_armada.api.decode import decode


def with_bytes(message: bytes, text: str, raw: bytes) -> bytes:
    """Put other bytes in the place of a text of the same length."""
    assert message.count(text.encode()) == 1
    assert len(text.encode()) == len(raw)
    return message.replace(text.encode(), raw)


def test_a_reason_that_is_no_text_keeps_the_rest_of_the_event() -> None:
    failed = event_pb2.JobFailedEvent(
        job_id="j", reason="REASON", container_statuses=[event_pb2.ContainerStatus(name="main", exitCode=3)]
    )
    message = event_pb2.EventStreamMessage(id="1:0:0:1", message=event_pb2.EventMessage(failed=failed))

    read = decode(event_pb2.EventStreamMessage, with_bytes(message.SerializeToString(), "REASON", b"a\xff\xfe\x80bc"))

    assert (read.id, read.message.failed.job_id, read.message.failed.container_statuses[0].exitCode) == (
        "1:0:0:1",
        "j",
        3,
    )
    assert read.message.failed.reason == "a\ufffd\ufffd\ufffdbc"


@given(st.binary(min_size=6, max_size=6))
def test_one_error_text_hides_no_other(raw: bytes) -> None:
    errors = job_pb2.JobErrorsResponse(job_errors={"one": "REASON", "other": "exit 3"}).SerializeToString()

    read = decode(job_pb2.JobErrorsResponse, with_bytes(errors, "REASON", raw)).job_errors

    assert dict(read) == {"one": raw.decode("utf-8", "replace"), "other": "exit 3"}


@given(st.binary(max_size=200))
def test_fuzz_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    try:
        read = decode(event_pb2.EventStreamMessage, raw)
    except DecodeError:
        return
    assert isinstance(read.id, str)


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\x7fshort", b"\x0b", b"\x80" * 12])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(event_pb2.EventStreamMessage, raw)
