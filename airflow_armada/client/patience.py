"""How long trouble is waited out: which errors may pass, for how long, and with what pauses between the attempts.

:class:`Patience` describes it, :class:`Trouble` decides after each failure; neither does I/O nor looks at a clock. The
two drivers, :func:`retry` and :func:`retry_async`, make the attempts and the pauses. They take any callable: a call to
Armada, to Airflow, or to a source of tokens; a function tells what its errors mean.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from airflow_armada.client.failure import ArmadaError, CredentialsError

ResultT = TypeVar("ResultT")


class Kind(Enum):
    """What an error means for the next attempt.

    ``FINAL``: the same attempt would fail again. ``ERROR``: the other side answered with an error that may pass.
    ``OUTAGE``: the other side could not be reached, or did not answer in time.
    """

    FINAL = "final"
    ERROR = "error"
    OUTAGE = "outage"


def kind_of(error: BaseException) -> Kind:
    """Tell what an error of a call to Armada, or of its credentials, means.

    Refused credentials may pass, because tokens are renewed and servers start before their identity provider. An error
    that is not the client's is final.

    :param error: what was raised
    """
    from airflow_armada.client.errors import DeadlineExceeded, Unauthenticated, Unavailable

    if isinstance(error, Unavailable | DeadlineExceeded) or (isinstance(error, CredentialsError) and error.transient):
        return Kind.OUTAGE
    if isinstance(error, Unauthenticated) or (isinstance(error, ArmadaError) and error.transient):
        return Kind.ERROR
    return Kind.FINAL


@dataclass(frozen=True)
class Patience:
    """How long errors that may pass are waited out, and the pauses between the attempts.

    Pauses double from ``first`` up to ``most``, each with jitter, so that many clients do not come back in step.

    :param outage: s for which the other side may be away
    :param error: s for which it may answer with errors
    :param first: s, the longest that the first pause can be
    :param most: s, the longest that any pause can be
    """

    outage: float = 600.0
    error: float = 60.0
    first: float = 0.5
    most: float = 10.0

    def pause(self, failures: int) -> float:
        """Return a pause in s: from half to all of ``first`` doubled ``failures`` times, capped at ``most``.

        :param failures: number of attempts that have failed before the last one
        """
        return min(self.most, self.first * 2.0 ** min(failures, 30)) * random.uniform(0.5, 1.0)


class Trouble:
    """The failures since the last success: fed with each of them, it says how long to pause, or to give up.

    The clock of an outage starts at the first failure, that of errors at the first error after which the other side
    was never away; any success stops both.

    :param patience: how long to try
    :param kind: tells what an error means
    :param since: when the clocks start, for a bound that counts from the first attempt; None: at the first failure
    """

    def __init__(
        self, patience: Patience, kind: Callable[[BaseException], Kind] = kind_of, since: float | None = None
    ) -> None:
        self.since = self._errors_since = since
        self.failures = 0
        self._patience = patience
        self._kind = kind

    def pause_after(self, error: BaseException, now: float) -> float | None:
        """Take note of a failed attempt.

        :param error: how it failed
        :param now: the time in s, by any clock that does not go back
        :return: s to wait before the next attempt, at most what is left; None to give up
        """
        kind = self._kind(error)
        if kind is Kind.FINAL:
            return None
        patience = self._patience
        self.since = now if self.since is None else self.since
        give_up = self.since + patience.outage
        if kind is Kind.OUTAGE:
            self._errors_since = None
        else:
            self._errors_since = now if self._errors_since is None else self._errors_since
            give_up = min(self._errors_since + patience.error, max(give_up, self.since + patience.error))
        if now >= give_up:
            return None
        pause = patience.pause(self.failures)
        self.failures += 1
        return min(pause, give_up - now)

    def over(self) -> None:
        """Take note of a success: what fails next is a new trouble."""
        self.since = self._errors_since = None
        self.failures = 0


def retry(
    attempt: Callable[[], ResultT],
    patience: Patience,
    *,
    kind: Callable[[BaseException], Kind] = kind_of,
    told: Callable[[Exception, float], object] | None = None,
    sleep: Callable[[float], object] | None = None,
    clock: Callable[[], float] | None = None,
) -> ResultT:
    """Make an attempt again and again until it succeeds, fails for good, or has failed for too long.

    :param attempt: what to do; it must be harmless to do it twice
    :param patience: how long to try
    :param kind: tells what an error means
    :param told: called with each error that is waited out, and the pause in s
    :param sleep: waits so many s; a true result stops with the last error, as does ``threading.Event().wait`` once it
        is set; what it raises goes through
    :param clock: gives the time in s
    :return: what the attempt returned
    """
    trouble = Trouble(patience, kind)
    while True:
        try:
            return attempt()
        except Exception as error:
            pause = trouble.pause_after(error, (clock or time.monotonic)())
            if pause is None:
                raise
            if told is not None:
                told(error, pause)
            if (sleep or time.sleep)(pause):
                raise


async def retry_async(
    attempt: Callable[[], Awaitable[ResultT]],
    patience: Patience,
    *,
    kind: Callable[[BaseException], Kind] = kind_of,
    told: Callable[[Exception, float], object] | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    clock: Callable[[], float] | None = None,
) -> ResultT:
    """Do in asyncio code what :func:`retry` does; the default clock is the event loop's."""
    trouble = Trouble(patience, kind)
    while True:
        try:
            return await attempt()
        except Exception as error:
            pause = trouble.pause_after(error, (clock or asyncio.get_running_loop().time)())
            if pause is None:
                raise
            if told is not None:
                told(error, pause)
            if await (sleep or asyncio.sleep)(pause):
                raise
