"""The errors of remote calls, told apart by gRPC code and server text together.

The text is needed because Armada answers the same mistake with different codes on different calls: a queue that does
not exist is PERMISSION_DENIED for SubmitJobs, UNKNOWN for CancelJobs and NOT_FOUND for GetQueue.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import grpc

from airflow_armada.client.failure import ArmadaError, CredentialsError, SettingsError
from airflow_armada.client.foreign_text import printable

__all__ = [
    "ArmadaError",
    "ArmadaRpcError",
    "CredentialsError",
    "DeadlineExceeded",
    "InvalidRequest",
    "JobSetNotFound",
    "NotFound",
    "PermissionDenied",
    "QueueNotFound",
    "RequestTooLarge",
    "SettingsError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnreadableAnswer",
    "from_grpc",
]


class ArmadaRpcError(ArmadaError, grpc.RpcError):
    """A remote call failed.

    ``method`` is the bare name of the call, ``request_id`` what the server logged it under (or ""), ``partial`` the
    merged answer of the parts of a divided request that had succeeded before (or None), ``may_have_happened`` whether
    the server may have carried out all the same what must not be asked for twice.

    :param code: the gRPC status code
    :param details: the server's text
    :param method: bare name of the method, such as ``SubmitJobs``
    :param request_id: the server's id of the request, or ""
    """

    hint: ClassVar[str] = ""
    refused: ClassVar[bool] = False
    """Whether the server understood and said no: the same call would be refused again."""

    def __init__(self, code: grpc.StatusCode, details: str, method: str = "", request_id: str = "") -> None:
        super().__init__(code, details, method, request_id)
        self._code = code
        self._details = details
        self.method = method
        self.request_id = request_id
        self.may_have_happened = False

    def code(self) -> grpc.StatusCode:
        """Return the gRPC status code."""
        return self._code

    def details(self) -> str:
        """Return the server's own text."""
        return self._details

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed soon: the transport or the load is to blame, not the request."""
        return not self.refused and _is_transient(self._code, self._details, self.method)

    def __str__(self) -> str:
        told = printable(" ".join(self._details.split())) or "no text"
        text = f"{self.method or 'call'} failed with {self._code.name}: {told}"
        if self.request_id:
            text += f" (request {self.request_id})"
        if self.may_have_happened:
            return f"{text}; the server may have carried it out all the same: look before you do it again"
        return f"{text}; {self.hint}" if self.hint else text


class Unavailable(ArmadaRpcError):
    """The server cannot be reached, or is too busy."""

    hint = "check the address, the port, TLS on or off, and that the server runs"


class DeadlineExceeded(ArmadaRpcError):
    """No answer came in time."""

    hint = "check the network between here and the server, or allow more time"


class Unauthenticated(ArmadaRpcError):
    """The server does not accept the credentials, or wants some."""

    hint = "check the kind of credentials and that they have not expired"
    refused = True


class PermissionDenied(ArmadaRpcError):
    """The user is known but may not do this."""

    hint = "ask an administrator for the permission on this queue"
    refused = True


class InvalidRequest(ArmadaRpcError):
    """The request breaks a rule of the server."""

    refused = True


class RequestTooLarge(InvalidRequest):
    """A message is larger than the other side takes."""

    hint = "make the job or the list smaller"


class NotFound(ArmadaRpcError):
    """What was asked for does not exist."""

    refused = True


class QueueNotFound(NotFound):
    """The queue does not exist; a new one can take 10 s to be seen by every call."""

    hint = "create the queue or check its name"


class JobSetNotFound(NotFound):
    """The job set has no events: nothing was submitted to it yet, or its history has expired."""

    hint = "check the queue and the job set id"


class Unimplemented(ArmadaRpcError):
    """The server does not know the call: it is too old, or not an Armada server."""

    hint = "the server may be too old for this call, or the address may not be Armada's"
    refused = True


class UnreadableAnswer(ArmadaRpcError):
    """The answer of the server cannot be decoded, and it would not be a second time."""

    hint = "the server may be too new for this client, or the address may not be Armada's"
    refused = True


_REQUEST_ID = re.compile(r'^\[x-request-id: "([^"]*)"\] ?')
_NO_QUEUE = re.compile(r"could not find queue|\bqueue .+ does not exist", re.IGNORECASE)
_NO_JOB_SET = re.compile(r"\bjobset .* does not exist", re.IGNORECASE)
_NO_PERMISSION = re.compile(r"lacks permission|does not have permission|is forbidden:", re.IGNORECASE)
_TOO_LARGE = re.compile(r"\blarger than max\b|message too large", re.IGNORECASE)
_UNREADABLE = re.compile(r"error unmarshalling request", re.IGNORECASE)
_INVALID = re.compile(
    r"request contained more than \d+|must contain|could not convert legacy message id", re.IGNORECASE
)
_BROKEN_CONNECTION = re.compile(
    r"RST_STREAM|stream removed|connection reset|socket closed|GOAWAY|\b50[234]\b|unexpected HTTP|transport",
    re.IGNORECASE,
)
_NOT_YET = re.compile(r"is waiting to start", re.IGNORECASE)

_BY_TEXT: tuple[tuple[re.Pattern[str], type[ArmadaRpcError]], ...] = (
    (_NO_JOB_SET, JobSetNotFound),
    (_NO_QUEUE, QueueNotFound),
    (_NO_PERMISSION, PermissionDenied),
    (_TOO_LARGE, RequestTooLarge),
    (_UNREADABLE, InvalidRequest),
)
_BY_CODE: dict[grpc.StatusCode, type[ArmadaRpcError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.ALREADY_EXISTS: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
}
_TEXT_MATTERS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.INTERNAL,
}
_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}


def _is_transient(code: grpc.StatusCode, text: str, method: str) -> bool:
    if code is grpc.StatusCode.UNKNOWN:
        # What reads from a database answers with that database's errors as they are.
        return method.startswith("Get") or bool(_BROKEN_CONNECTION.search(text) or _NOT_YET.search(text))
    return code in _TRANSIENT


def classify(code: grpc.StatusCode, text: str) -> type[ArmadaRpcError]:
    """Return the class of error for a gRPC code and the server's text.

    The rules follow what Armada's handlers and its error mapping produce (``internal/common/armadaerrors``).

    :param code: the gRPC status code
    :param text: the server's text
    """
    if code in _TEXT_MATTERS:
        for pattern, error_class in _BY_TEXT:
            if pattern.search(text):
                return error_class
        if code is grpc.StatusCode.UNKNOWN and _INVALID.search(text):
            return InvalidRequest
    return _BY_CODE.get(code, ArmadaRpcError)


def from_grpc(error: grpc.RpcError, method: str) -> ArmadaRpcError:
    """Turn an error of a sync or asyncio call into one of ours.

    :param error: what grpc raised
    :param method: bare name of the method, such as ``SubmitJobs``
    :return: an error of the class that fits; an error that is ours already is returned as it is
    """
    if isinstance(error, ArmadaRpcError):
        return error
    known: Any = error
    code = known.code() if hasattr(known, "code") else grpc.StatusCode.UNKNOWN
    text = (known.details() if hasattr(known, "details") else str(error)) or ""
    prefix = _REQUEST_ID.match(text)
    request_id = prefix.group(1) if prefix else ""
    text = text[prefix.end() :] if prefix else text
    return classify(code, text)(code, text, method, request_id)
