"""What an event stream does each time that it breaks."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from airflow_armada.api.event_pb2 import EventStreamMessage
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, classify
from airflow_armada.client.events.resuming import Resume
from airflow_armada.client.patience import Patience

Code = grpc.StatusCode


def resume(grace: float = 60.0, from_message_id: str = "") -> Resume:
    backoff = Patience(first=1.0, most=8.0)
    return Resume("q", "s", from_message_id, timedelta(minutes=15), timedelta(seconds=grace), backoff)


def error(code: grpc.StatusCode, text: str = "") -> ArmadaRpcError:
    return classify(code, text)(code, text, "GetJobSetEvents")


def test_it_begins_where_it_was_told_and_goes_on_after_the_last_message() -> None:
    position = resume(from_message_id="5:0:0:1")
    first, _ = position.opening()
    position.received(EventStreamMessage(id="7:0:0:1"))
    second, _ = position.opening()

    assert (first.from_message_id, second.from_message_id) == ("5:0:0:1", "7:0:0:1")
    assert (second.queue, second.id, second.watch, second.errorIfMissing) == ("q", "s", True, True)


def test_openings_last_about_as_long_as_they_may_but_not_all_alike() -> None:
    deadlines = {resume().opening()[1] for _ in range(20)}

    assert all(810 <= deadline <= 900 for deadline in deadlines)
    assert len(deadlines) > 1


@pytest.mark.parametrize(
    "broken",
    [
        None,
        error(Code.UNAVAILABLE, "Socket closed"),
        error(Code.INTERNAL, "Received RST_STREAM with error code 2"),
        error(Code.UNKNOWN, "Stream removed"),
        error(Code.UNKNOWN, "some error that nobody mapped"),
        error(Code.CANCELLED, "shutting down"),
        error(Code.RESOURCE_EXHAUSTED, "busy"),
        error(Code.DEADLINE_EXCEEDED, "from a proxy, at once"),
    ],
)
def test_a_break_is_followed_by_ever_longer_pauses(broken: ArmadaRpcError | None) -> None:
    position = resume()
    pauses = []
    for _ in range(6):
        position.opening()
        pauses.append(position.broken(broken))

    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True))


def test_a_message_makes_the_pauses_short_again() -> None:
    position = resume()
    for _ in range(5):
        position.opening()
        position.broken(None)
    position.received(EventStreamMessage(id="1"))

    assert position.broken(None) <= 1.0


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Code.PERMISSION_DENIED, "alice lacks permission watch"),
        (Code.INVALID_ARGUMENT, ""),
        (Code.UNIMPLEMENTED, ""),
        (Code.UNKNOWN, "Could not convert legacy message id over to new message id"),
    ],
)
def test_a_refusal_is_raised_now_and_whenever_it_is_opened_again(code: grpc.StatusCode, text: str) -> None:
    position, refusal = resume(), error(code, text)
    position.opening()

    for attempt in (lambda: position.broken(refusal), position.opening, position.opening):
        with pytest.raises(ArmadaRpcError) as caught:
            attempt()
        assert caught.value is refusal


def test_refused_credentials_are_given_the_chance_to_have_been_renewed() -> None:
    position, refusal = resume(), error(Code.UNAUTHENTICATED)
    position.opening()
    position.broken(refusal)
    position.broken(refusal)

    with pytest.raises(ArmadaRpcError):
        position.broken(refusal)


@pytest.mark.parametrize("text", ["Queue q does not exist", "Jobset s for queue q does not exist"])
def test_what_does_not_exist_is_waited_for_only_for_a_while(text: str) -> None:
    patient, impatient = resume(grace=60.0), resume(grace=0.0)

    assert patient.broken(error(Code.NOT_FOUND, text)) > 0
    with pytest.raises(ArmadaRpcError):
        impatient.broken(error(Code.NOT_FOUND, text))


def test_a_source_of_tokens_that_fails_is_tried_again() -> None:
    assert resume().broken(CredentialsError("the token server is away")) > 0


def test_anything_else_is_raised() -> None:
    with pytest.raises(RuntimeError):
        resume().broken(RuntimeError("a mistake of ours"))
