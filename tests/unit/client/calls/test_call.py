"""When a call is tried again, how long, and how lists are divided: rules that need no server."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import submit_pb2
from airflow_armada.api.methods import QueueService, Submit
from airflow_armada.client.calls.call import READS, Attempt, Call, CallPolicy, Pause, conversation
from airflow_armada.client.calls.messages import by_bytes, by_count
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, classify

Code = grpc.StatusCode
QUICK = CallPolicy(timeout=3.0, total=60.0, command_timeout=90.0, first_pause=0.5, longest_pause=2.0)


def error(code: grpc.StatusCode, text: str = "") -> ArmadaRpcError:
    return classify(code, text)(code, text, "GetQueue")


def play(call: Call[Any], policy: CallPolicy, *replies: Any) -> tuple[Any, list[Attempt | Pause]]:
    """Run a conversation with prepared replies, and return its result with the steps that it took."""
    steps = conversation(call, policy)
    taken: list[Attempt | Pause] = []
    queue = list(replies)
    reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value, taken
        taken.append(step)
        reply = queue.pop(0) if isinstance(step, Attempt) else None


def get(name: str = "q", repeatable: str = READS) -> Call[Any]:
    return Call(QueueService.GET_QUEUE, (submit_pb2.QueueGetRequest(name=name),), repeatable=repeatable)


def test_a_call_that_succeeds_is_one_attempt_with_a_deadline() -> None:
    result, taken = play(get(), QUICK, "answer")

    assert result == "answer"
    assert taken == [Attempt(QueueService.GET_QUEUE, submit_pb2.QueueGetRequest(name="q"), 3.0)]


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.RESOURCE_EXHAUSTED])
def test_a_repeatable_call_is_tried_again_after_a_pause(code: grpc.StatusCode) -> None:
    result, taken = play(get(), QUICK, error(code), error(code), "answer")

    assert result == "answer"
    assert [type(step) for step in taken] == [Attempt, Pause, Attempt, Pause, Attempt]


@pytest.mark.parametrize(
    "code", [Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED]
)
def test_a_refusal_is_final(code: grpc.StatusCode) -> None:
    with pytest.raises(ArmadaRpcError) as caught:
        play(get(), QUICK, error(code), "never asked for")

    assert caught.value.code() is code


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNKNOWN])
def test_a_call_that_must_not_happen_twice_is_not_repeated_when_it_may_have_arrived(code: grpc.StatusCode) -> None:
    with pytest.raises(ArmadaRpcError):
        play(get(repeatable=""), QUICK, error(code, "Socket closed"), "never asked for")


@pytest.mark.parametrize(
    ("code", "text"),
    [(Code.UNAVAILABLE, "failed to connect to all addresses; last error: refused"), (Code.RESOURCE_EXHAUSTED, "busy")],
)
def test_a_call_that_must_not_happen_twice_is_repeated_when_it_cannot_have_arrived(
    code: grpc.StatusCode, text: str
) -> None:
    result, _ = play(get(repeatable=""), QUICK, error(code, text), "answer")

    assert result == "answer"


def test_without_credentials_nothing_was_sent_so_any_call_is_tried_again() -> None:
    away = CredentialsError("the token server is away", transient=True)

    assert play(get(repeatable=""), QUICK, away, "answer")[0] == "answer"
    with pytest.raises(CredentialsError):
        play(get(), QUICK, CredentialsError("no such file"), "never asked for")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (error(Code.DEADLINE_EXCEEDED), True),
        (error(Code.UNAVAILABLE, "Socket closed"), True),
        (error(Code.INTERNAL, "Failed to send events"), True),
        (error(Code.UNAVAILABLE, "failed to connect to all addresses"), False),
        (error(Code.INTERNAL, "grpc: error unmarshalling request: unexpected EOF"), False),
        (error(Code.PERMISSION_DENIED), False),
    ],
)
def test_an_error_tells_whether_a_call_that_must_not_happen_twice_may_have_happened(
    failure: ArmadaRpcError, expected: bool
) -> None:
    with pytest.raises(ArmadaRpcError) as caught:
        play(get(repeatable=""), CallPolicy(total=0.0), failure)

    assert caught.value.may_have_happened is expected
    assert ("all the same" in str(caught.value)) is expected


def test_a_command_has_a_deadline_of_minutes_because_the_server_blocks_while_its_bus_is_away() -> None:
    command = Call(Submit.CANCEL_JOBS, (submit_pb2.JobCancelRequest(),), repeatable=READS, command=True)

    _, taken = play(command, QUICK, error(Code.UNAVAILABLE), "answer")

    first, second = (step.timeout for step in taken if isinstance(step, Attempt))
    assert (first, CallPolicy().command_timeout) == (90.0, 240.0)
    assert second <= 60.0


def test_a_request_that_is_too_large_is_not_repeated() -> None:
    with pytest.raises(ArmadaRpcError):
        play(get(), QUICK, error(Code.RESOURCE_EXHAUSTED, "received message larger than max"), "never asked for")


def test_without_time_to_retry_there_is_one_attempt_with_its_whole_deadline() -> None:
    single = CallPolicy(timeout=3.0, total=0.0)

    with pytest.raises(ArmadaRpcError):
        play(get(), single, error(Code.UNAVAILABLE), "never asked for")

    _, taken = play(get(), single, "answer")
    assert taken == [Attempt(QueueService.GET_QUEUE, submit_pb2.QueueGetRequest(name="q"), 3.0)]


def test_further_attempts_end_with_the_time_for_all_of_them() -> None:
    policy = CallPolicy(timeout=50.0, total=20.0)

    _, taken = play(get(), policy, error(Code.UNAVAILABLE), "answer")

    first, second = (step.timeout for step in taken if isinstance(step, Attempt))
    assert first == 50.0
    assert second <= 20.0


def test_an_answer_that_is_cut_short_is_asked_for_again() -> None:
    flawed: Call[str] = Call(
        QueueService.GET_QUEUE,
        (submit_pb2.QueueGetRequest(),),
        repeatable=READS,
        flaw=lambda answer: error(Code.UNAVAILABLE, "cut short") if answer == "half" else None,
    )

    result, _ = play(flawed, QUICK, "half", "whole")

    assert result == "whole"


def test_an_error_brings_the_answers_of_the_requests_before_it() -> None:
    requests = tuple(submit_pb2.QueueGetRequest(name=name) for name in "abc")
    divided = Call(QueueService.GET_QUEUE, requests, merge=list)

    with pytest.raises(ArmadaRpcError) as caught:
        play(divided, QUICK, "A", "B", error(Code.INVALID_ARGUMENT))

    assert caught.value.partial == ["A", "B"]


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 80))
def test_messages_are_divided_by_bytes_in_order_and_none_is_lost(names: list[str], limit: int) -> None:
    items = [submit_pb2.QueueGetRequest(name=name) for name in names]

    parts = list(by_bytes(items, limit))

    assert [item for part in parts for item in part] == items
    assert all(len(part) == 1 or sum(item.ByteSize() for item in part) <= limit for part in parts)
    assert all(parts)


@given(st.lists(st.integers(), max_size=50), st.integers(1, 10))
def test_lists_are_divided_by_count(items: list[int], most: int) -> None:
    parts = list(by_count(items, most))

    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= most for part in parts)
