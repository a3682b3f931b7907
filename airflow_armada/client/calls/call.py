"""What a remote call is, apart from who makes it: the sync and the asyncio client run the same descriptions.

A :class:`Call` is data. :func:`conversation` turns one into the attempts and pauses that a driver carries out; it does
no I/O, so the rules of retrying exist once and can be tested without a server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from airflow_armada.api.methods import Method
from airflow_armada.client.errors import ArmadaRpcError, RequestTooLarge
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.patience import Kind, Patience, Trouble

ResultT = TypeVar("ResultT")

READS = "it changes nothing"
SETS = "it sets the whole of something, so the second time changes nothing"
NAMES_JOBS = "it names its jobs, and the second time finds them as the first has left them"


def only(answers: Sequence[Any]) -> Any:
    """Merge the answers of a call that is never divided."""
    return answers[0]


def nothing(answers: Sequence[Any]) -> None:
    """Merge the answers of a call that tells nothing."""


def no_flaw(answer: Any) -> ArmadaRpcError | None:
    """Find nothing wrong with an answer."""
    return None


@dataclass(frozen=True)
class CallPolicy:
    """How long to try.

    :param timeout: s, the deadline of one attempt
    :param total: s that all attempts of a request may take; the first one has its whole timeout in any case
    :param command_timeout: s, the deadline of one attempt of a call that is answered through Armada's message bus
    :param first_pause: s, the longest that the first pause between attempts can be
    :param longest_pause: s, the longest that any pause can be
    """

    timeout: float = 10.0
    total: float = 30.0
    command_timeout: float = 240.0
    first_pause: float = 0.25
    longest_pause: float = 5.0

    def patience(self) -> Patience:
        """Return how long errors of a call are waited out."""
        return Patience(self.total, self.total, self.first_pause, self.longest_pause)


@dataclass(frozen=True)
class Attempt:
    """Tells a driver to send a request, and to reply with the answer or with an :class:`ArmadaError`.

    :param method: the remote method
    :param request: the message to send
    :param timeout: s, the deadline
    """

    method: Method[Any, Any]
    request: Message
    timeout: float


@dataclass(frozen=True)
class Pause:
    """Tells a driver to wait.

    :param seconds: how long
    """

    seconds: float


Conversation = Generator[Attempt | Pause, Any, ResultT]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Call(Generic[ResultT]):
    """One remote call, divided into as many requests as the server's limits ask for.

    :param method: the remote method
    :param requests: its requests, sent one after the other
    :param merge: makes the result from their answers; the answer of a streaming method is the list of its messages
    :param repeatable: why doing it twice does no harm, so that a lost answer may be asked for again; "" if it may harm
    :param command: whether the server publishes it to its message bus before it answers, and so blocks, without any
        error, for as long as that is away; it carries the call out even when our deadline has passed meanwhile
    :param flaw: finds what is wrong with an answer that came without error, such as a list that is cut short
    :param recover: the steps that find out what became of a request whose answer was lost, if there is a way
    """

    method: Method[Any, Any]
    requests: tuple[Message, ...]
    merge: Callable[[Sequence[Any]], ResultT] = only
    repeatable: str = ""
    command: bool = False
    flaw: Callable[[Any], ArmadaRpcError | None] = no_flaw
    recover: Callable[[Any, ArmadaRpcError, CallPolicy, Clock], Conversation[Any]] | None = None


def conversation(call: Call[ResultT], policy: CallPolicy, clock: Clock = time.monotonic) -> Conversation[ResultT]:
    """Return the steps of a call: attempts to be replied to, and pauses, until the result is returned.

    :param call: the call
    :param policy: how long to try
    :param clock: gives the time in s
    :raises ArmadaError: what could not be retried; its ``partial`` is the result of the requests before it
    """
    answers: list[Any] = []
    for request in call.requests:
        try:
            answers.append((yield from _exchange(call, request, policy, clock)))
        except ArmadaError as error:
            error.partial = call.merge(answers) if answers else None
            raise
    return call.merge(answers)


def _exchange(call: Call[Any], request: Message, policy: CallPolicy, clock: Clock) -> Conversation[Any]:
    started = clock()
    longest = timeout = policy.command_timeout if call.command else policy.timeout
    trouble = Trouble(policy.patience(), lambda error: _kind(error, call), since=started)
    while True:
        answer = yield Attempt(call.method, request, timeout)
        error = answer if isinstance(answer, ArmadaError) else call.flaw(answer)
        if error is None:
            return answer
        pause = trouble.pause_after(error, clock())
        if pause is None:
            if isinstance(error, ArmadaRpcError) and not call.repeatable and may_have_arrived(error):
                error.may_have_happened = True
                if call.recover:
                    return (yield from call.recover(request, error, policy, clock))
            raise error
        yield Pause(pause)
        timeout = min(longest, max(policy.total - (clock() - started), 1.0))


def _kind(error: BaseException, call: Call[Any]) -> Kind:
    return Kind.OUTAGE if isinstance(error, ArmadaError) and may_retry(error, bool(call.repeatable)) else Kind.FINAL


def may_retry(error: ArmadaError, repeatable: bool) -> bool:
    """Tell whether a failed call may be sent again.

    A call that must not happen twice is sent again only if it cannot have reached a handler.

    :param error: how it failed
    :param repeatable: whether doing it twice does no harm
    """
    if not error.transient or (isinstance(error, ArmadaRpcError) and error.code() in _NOT_RETRIED):
        return False
    return repeatable or not isinstance(error, ArmadaRpcError) or not may_have_arrived(error)


def may_have_arrived(error: ArmadaRpcError) -> bool:
    """Tell whether the server may have done what failed with this error.

    Not so when it refused, when it turned the call away for load, and when there was no connection at all.

    :param error: how the call failed
    """
    if error.refused or isinstance(error, RequestTooLarge) or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return False
    return error.code() is not grpc.StatusCode.UNAVAILABLE or not error.details().startswith(_NEVER_SENT)


_NOT_RETRIED = {grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED}
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed", "Name resolution failure")
