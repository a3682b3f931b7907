"""What a remote call is, apart from who makes it: the sync and the asyncio client run the same descriptions.

A :class:`Call` is data. :func:`conversation` turns one into the attempts and pauses that a driver carries out; it does
no I/O, so the rules of retrying exist once and can be tested without a server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from airflow_armada.api.methods import Method
from airflow_armada.client.errors import ArmadaRpcError, RequestTooLarge

ResultT = TypeVar("ResultT")


def only(answers: Sequence[Any]) -> Any:
    """Merge the answers of a call that is never divided."""
    return answers[0]


def nothing(answers: Sequence[Any]) -> None:
    """Merge the answers of a call that tells nothing."""


def no_flaw(answer: Any) -> ArmadaRpcError | None:
    """Find nothing wrong with an answer."""
    return None


@dataclass(frozen=True)
class Call(Generic[ResultT]):
    """One remote call, divided into as many requests as the server's limits ask for.

    :param method: the remote method
    :param requests: its requests, sent one after the other
    :param merge: makes the result from their answers; the answer of a streaming method is the list of its messages
    :param repeatable: whether doing it twice does no harm, so that a lost answer may be asked for again
    :param flaw: finds what is wrong with an answer that came without error, such as a list that is cut short
    """

    method: Method[Any, Any]
    requests: tuple[Message, ...]
    merge: Callable[[Sequence[Any]], ResultT] = only
    repeatable: bool = True
    flaw: Callable[[Any], ArmadaRpcError | None] = no_flaw


@dataclass(frozen=True)
class Backoff:
    """Exponential pauses with jitter, so that many clients do not come back in step.

    :param first: s, the longest that the first pause can be
    :param most: s, the longest that any pause can be
    """

    first: float = 0.25
    most: float = 5.0

    def pause(self, attempt: int) -> float:
        """Return a pause in s: from half to all of ``first`` doubled ``attempt`` times, capped at ``most``.

        :param attempt: number of attempts that have failed before this one
        """
        ceiling = min(self.most, self.first * 2.0 ** min(attempt, 30))
        return ceiling * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class CallPolicy:
    """How long to try.

    :param timeout: s, the deadline of one attempt
    :param total: s that all attempts of a request may take; the first one has its whole timeout in any case
    :param backoff: the pauses between attempts
    """

    timeout: float = 10.0
    total: float = 30.0
    backoff: Backoff = Backoff()


@dataclass(frozen=True)
class Attempt:
    """Tells a driver to send a request, and to reply with the answer or with an :class:`ArmadaRpcError`.

    :param request: the message to send
    :param timeout: s, the deadline
    """

    request: Message
    timeout: float


@dataclass(frozen=True)
class Pause:
    """Tells a driver to wait.

    :param seconds: how long
    """

    seconds: float


Conversation = Generator[Attempt | Pause, Any, ResultT]


def conversation(call: Call[ResultT], policy: CallPolicy) -> Conversation[ResultT]:
    """Return the steps of a call: attempts to be replied to, and pauses, until the result is returned.

    :param call: the call
    :param policy: how long to try
    :raises ArmadaRpcError: what could not be retried; its ``partial`` is the result of the requests before it
    """
    answers: list[Any] = []
    for request in call.requests:
        try:
            answers.append((yield from _exchange(call, request, policy)))
        except ArmadaRpcError as error:
            error.partial = call.merge(answers) if answers else None
            raise
    return call.merge(answers)


def _exchange(call: Call[Any], request: Message, policy: CallPolicy) -> Conversation[Any]:
    started = time.monotonic()
    attempt = 0
    timeout = policy.timeout
    while True:
        answer = yield Attempt(request, timeout)
        error = answer if isinstance(answer, ArmadaRpcError) else call.flaw(answer)
        if error is None:
            return answer
        pause = policy.backoff.pause(attempt)
        if time.monotonic() - started + pause >= policy.total or not may_retry(error, call.repeatable):
            raise error
        yield Pause(pause)
        attempt += 1
        timeout = min(policy.timeout, max(policy.total - (time.monotonic() - started), 0.1))


def may_retry(error: ArmadaRpcError, repeatable: bool) -> bool:
    """Tell whether a failed call may be sent again.

    A call that must not happen twice is sent again only if it cannot have reached a handler: there was no connection
    at all, or the server turned it away for load.

    :param error: how it failed
    :param repeatable: whether doing it twice does no harm
    """
    code = error.code()
    if isinstance(error, RequestTooLarge):
        return False
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return True
    if repeatable:
        return code in _RETRIED or (code is grpc.StatusCode.UNKNOWN and error.transient)
    return code is grpc.StatusCode.UNAVAILABLE and error.details().startswith(_NEVER_SENT)


_RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL}
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed", "Name resolution failure")
