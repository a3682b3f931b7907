"""What a service raises to answer with a gRPC status.

Armada answers in two ways: a handler names the code itself, or an interceptor maps an ordinary error to a code and puts
the request id before its text. Clients see the difference, so it is kept.
"""

from __future__ import annotations

import grpc

MAX_TEXT = 2000


class ApiError(Exception):
    """An answer other than OK.

    :param code: the gRPC status code
    :param text: the server's words
    :param mapped: whether Armada's error interceptor would have made the status, and so prefixed the request id
    """

    def __init__(self, code: grpc.StatusCode, text: str, *, mapped: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.mapped = mapped

    def details(self, request_id: str) -> str:
        """Return the status text as it goes to the client."""
        if not self.mapped:
            return self.text
        text = f'[x-request-id: "{request_id}"] {self.text}'
        return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "... (truncated)"


def unknown(text: str) -> ApiError:
    """Return the status of an error that Armada knows no code for."""
    return ApiError(grpc.StatusCode.UNKNOWN, text, mapped=True)


def invalid_field(name: str, value: str, problem: str) -> ApiError:
    """Return the status of a wrong argument outside SubmitJobs."""
    return ApiError(
        grpc.StatusCode.INVALID_ARGUMENT, f'value "{value}" is invalid for field "{name}": {problem}', mapped=True
    )
