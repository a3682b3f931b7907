"""What an event stream does each time that it breaks: the rules of every stream, and those of the client's."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api.event_pb2 import EventStreamMessage
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, classify
from airflow_armada.client.events.requests import StreamRequests
from airflow_armada.client.events.resuming import HEALTHY_AFTER, Resuming, StreamEnded
from airflow_armada.client.patience import Kind, Patience

Code = grpc.StatusCode


def resume(grace: float = 60.0, from_message_id: str = "", error: float = 60.0, **options: Any) -> StreamRequests:
    patience = Patience(outage=math.inf, error=error, first=1.0, most=8.0)
    missing = timedelta(seconds=grace)
    return StreamRequests("q", "s", from_message_id, timedelta(minutes=15), missing, patience=patience, **options)


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


@pytest.mark.parametrize("broken", [error(Code.UNAUTHENTICATED), CredentialsError("the token server is away")])
def test_credentials_are_given_a_while_to_be_renewed(broken: Exception) -> None:
    assert resume().broken(broken) > 0

    with pytest.raises(type(broken)):
        resume(error=0.0).broken(broken)


def test_a_stream_ends_with_its_server_where_that_is_wanted() -> None:
    with pytest.raises(StreamEnded):
        resume(end_with_server=True).broken(None)
    assert resume(end_with_server=True).broken(error(Code.UNAVAILABLE)) > 0


@pytest.mark.parametrize("text", ["Queue q does not exist", "Jobset s for queue q does not exist"])
def test_what_does_not_exist_is_waited_for_only_for_a_while(text: str) -> None:
    patient, impatient = resume(grace=60.0), resume(grace=0.0)

    assert patient.broken(error(Code.NOT_FOUND, text)) > 0
    with pytest.raises(ArmadaRpcError):
        impatient.broken(error(Code.NOT_FOUND, text))


def test_anything_else_is_raised() -> None:
    with pytest.raises(RuntimeError):
        resume().broken(RuntimeError("a mistake of ours"))


TOKEN = CredentialsError("the token server is away", transient=True)
AWAY = error(Code.UNAVAILABLE, "Socket closed")
MISSING = error(Code.NOT_FOUND, "Jobset s for queue q does not exist")


def kind(error: BaseException) -> Kind:
    return Kind.ERROR if error is TOKEN else Kind.OUTAGE


def resuming(position: str = "") -> Resuming:
    return Resuming(position, Patience(math.inf, 60.0, first=1.0, most=8.0), missing=20.0, kind=kind)


def opened_and_broken(stream: Resuming, at: float, error: BaseException | None, after: float = 0.0) -> float | None:
    stream.opened(at)
    return stream.broken(error, at + after)


def test_trouble_now_and_trouble_after_a_quiet_quarter_of_an_hour_are_two_troubles() -> None:
    stream = resuming()

    assert opened_and_broken(stream, 0.0, TOKEN) is not None
    assert opened_and_broken(stream, 1.0, None, after=900.0) is not None
    assert opened_and_broken(stream, 902.0, TOKEN) is not None


def test_an_opening_that_never_got_past_the_door_is_no_success_however_long_it_took() -> None:
    stream = resuming()

    assert opened_and_broken(stream, 0.0, TOKEN, after=30.0) is not None
    assert opened_and_broken(stream, 31.0, TOKEN, after=58.0) is not None
    assert opened_and_broken(stream, 90.0, TOKEN, after=30.0) is None


def test_a_message_is_a_success_and_moves_the_position() -> None:
    stream = resuming("5:0")
    opened_and_broken(stream, 0.0, TOKEN)
    stream.opened(50.0)
    stream.received("7:0")
    stream.received("")

    assert stream.position == "7:0"
    assert opened_and_broken(stream, 100.0, TOKEN) is not None


def test_what_is_missing_has_a_grace_of_its_own_that_other_trouble_starts_anew() -> None:
    stream = resuming()

    assert opened_and_broken(stream, 0.0, MISSING) is not None
    assert opened_and_broken(stream, 19.0, AWAY) is not None
    assert opened_and_broken(stream, 30.0, MISSING) is not None
    assert opened_and_broken(stream, 50.0, MISSING) is None


def test_a_silent_stream_is_given_longer_and_longer_until_it_tells_something() -> None:
    stream = resuming()
    waits = []
    for _ in range(4):
        stream.opened(0.0)
        waits.append(stream.idle(60.0, 200.0))
    stream.received("1")
    stream.opened(0.0)

    for wait, expected in zip([*waits, stream.idle(60.0, 200.0)], [60, 120, 200, 200, 60], strict=True):
        assert expected * 0.8 <= wait <= expected * 1.2


STEPS = st.lists(st.tuples(st.sampled_from([TOKEN, AWAY, MISSING, None]), st.integers(0, 60), st.booleans()))


@given(STEPS)
def test_it_gives_up_only_on_trouble_without_success_that_has_lasted(steps: list[tuple[Any, int, bool]]) -> None:
    stream, now, well_at = resuming(), 0.0, 0.0
    for broken, lasted, told in steps:
        stream.opened(now)
        if told:
            stream.received(f"{now}")
            well_at = now
        now += lasted
        if lasted >= HEALTHY_AFTER and broken not in (TOKEN, MISSING):
            well_at = now
        pause = stream.broken(broken, now)
        if pause is None:
            assert (broken is TOKEN and now - well_at >= 60.0) or (broken is MISSING and now - well_at >= 20.0)
            return
        assert 0.0 <= pause <= 8.0
        now += pause
