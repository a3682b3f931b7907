"""Errors are told apart by code and text, as Armada's servers really answer."""

from __future__ import annotations

import pickle

import grpc
import pytest

from airflow_armada.client import errors
from airflow_armada.client.errors import ArmadaError, ArmadaRpcError, classify, from_grpc

Code = grpc.StatusCode

ANSWERS = [
    # SubmitJobs, CancelJobs and GetQueue each answer a missing queue in their own way.
    (Code.PERMISSION_DENIED, 'could not find queue "x"', errors.QueueNotFound),
    (Code.UNKNOWN, 'could not find queue "x"', errors.QueueNotFound),
    (Code.NOT_FOUND, 'could not find queue "x"', errors.QueueNotFound),
    (Code.NOT_FOUND, "[GetJobSetEvents] Queue x does not exist", errors.QueueNotFound),
    (Code.NOT_FOUND, "[GetJobSetEvents] Jobset s for queue x does not exist", errors.JobSetNotFound),
    (Code.PERMISSION_DENIED, "alice lacks permission submit_any_jobs", errors.PermissionDenied),
    (Code.UNKNOWN, "alice lacks permission cancel_any_jobs required for action x", errors.PermissionDenied),
    (Code.UNKNOWN, 'pods "p" is forbidden: User "a" cannot get resource "pods/log"', errors.PermissionDenied),
    (Code.UNAUTHENTICATED, "Request could not be authenticated", errors.Unauthenticated),
    (Code.INVALID_ARGUMENT, "priority_factor must be >= 1.0", errors.InvalidRequest),
    (Code.UNKNOWN, "request contained more than 500 jobIds", errors.InvalidRequest),
    (Code.UNKNOWN, "Could not convert legacy message id over to new message id", errors.InvalidRequest),
    (Code.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)", errors.RequestTooLarge),
    (Code.RESOURCE_EXHAUSTED, "too many requests", errors.Unavailable),
    (Code.UNAVAILABLE, "Socket closed", errors.Unavailable),
    (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", errors.DeadlineExceeded),
    (Code.UNIMPLEMENTED, "unknown method CordonQueue", errors.Unimplemented),
    (Code.NOT_FOUND, 'pods "armada-x-0" not found', errors.NotFound),
    (Code.INTERNAL, "Internal server error caused by nil", ArmadaRpcError),
    (Code.UNKNOWN, "ERROR: relation does not exist", ArmadaRpcError),
]


@pytest.mark.parametrize(("code", "text", "expected"), ANSWERS)
def test_an_answer_gets_the_class_that_fits(code: grpc.StatusCode, text: str, expected: type[ArmadaRpcError]) -> None:
    assert classify(code, text) is expected


@pytest.mark.parametrize(
    ("code", "text", "transient", "refused"),
    [
        (Code.UNAVAILABLE, "Socket closed", True, False),
        (Code.INTERNAL, "RST_STREAM with error code 2", True, False),
        (Code.DEADLINE_EXCEEDED, "", True, False),
        (Code.RESOURCE_EXHAUSTED, "busy", True, False),
        (Code.RESOURCE_EXHAUSTED, "Received message larger than max", False, True),
        (Code.UNKNOWN, "Stream removed", True, False),
        (Code.UNKNOWN, 'container "a" in pod "b" is waiting to start: ContainerCreating', True, False),
        (Code.UNKNOWN, "ERROR: relation does not exist", False, False),
        (Code.UNAUTHENTICATED, "", False, True),
        (Code.PERMISSION_DENIED, "", False, True),
        (Code.NOT_FOUND, "", False, True),
        (Code.UNIMPLEMENTED, "", False, True),
    ],
)
def test_an_error_tells_whether_another_try_may_help(
    code: grpc.StatusCode, text: str, transient: bool, refused: bool
) -> None:
    error = classify(code, text)(code, text)

    assert (error.transient, error.refused) == (transient, refused)


class GrpcError(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, details: str | None) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details


def test_an_error_is_one_line_with_method_code_text_request_id_and_hint() -> None:
    answer = GrpcError(Code.UNKNOWN, '[x-request-id: "abc-1"] could not find queue "x"')

    error = from_grpc(answer, "CancelJobs")

    assert str(error) == (
        'CancelJobs failed with UNKNOWN: could not find queue "x" (request abc-1); create the queue or check its name'
    )
    assert (error.method, error.request_id, error.details()) == ("CancelJobs", "abc-1", 'could not find queue "x"')


def test_a_text_of_several_lines_becomes_one_line() -> None:
    error = from_grpc(GrpcError(Code.INTERNAL, "first\n\tsecond"), "SubmitJobs")

    assert str(error) == "SubmitJobs failed with INTERNAL: first second"


def test_code_written_for_the_published_client_still_catches_it() -> None:
    with pytest.raises(grpc.RpcError) as caught:
        raise from_grpc(GrpcError(Code.NOT_FOUND, None), "GetQueue")

    assert caught.value.code() is Code.NOT_FOUND
    assert isinstance(caught.value, ArmadaError)


def test_an_error_of_ours_is_not_wrapped_again() -> None:
    error = errors.Unavailable(Code.UNAVAILABLE, "gone", "GetQueues")

    assert from_grpc(error, "Other") is error


def test_an_error_survives_pickling() -> None:
    error = from_grpc(GrpcError(Code.UNAVAILABLE, "gone"), "GetQueues")

    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_is_one_line_that_plays_no_tricks_on_a_terminal() -> None:
    error = classified(Code.INTERNAL, "one\ntwo \x1b[31mred\x00 " + "x" * 100_000)

    assert str(error).isprintable()
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (Code.INTERNAL, "grpc: error unmarshalling request: unexpected EOF", errors.InvalidRequest),
        (Code.RESOURCE_EXHAUSTED, "Decompressed message larger than max", errors.RequestTooLarge),
        (Code.RESOURCE_EXHAUSTED, "grpc: trying to send message larger than max (5 vs. 4)", errors.RequestTooLarge),
    ],
)
def test_what_would_be_the_same_a_second_time_is_refused(
    code: grpc.StatusCode, text: str, expected: type[ArmadaRpcError]
) -> None:
    error = classified(code, text)

    assert type(error) is expected
    assert error.refused


def classified(code: grpc.StatusCode, text: str) -> ArmadaRpcError:
    return classify(code, text)(code, text, "SubmitJobs")
