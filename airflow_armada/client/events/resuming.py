"""Whether, when and from where a broken event stream is opened again: rules without I/O and without a clock.

They are shared by the streams of both clients and by the watch of a job set in the triggerer. Times are seconds by any
clock that does not go back.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, JobSetNotFound, QueueNotFound
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.patience import Kind, Patience, Trouble, kind_of

HEALTHY_AFTER = 20.0
"""s for which an opening must have lasted to count as a success, although it told of nothing."""


class StreamEnded(ArmadaError):
    """The server ended a watch, which it never does of itself: a proxy, or a server that stops."""

    @property
    def transient(self) -> bool:
        return True

    def __str__(self) -> str:
        return "the server ended it"


class Resuming:
    """Where an event stream stands, and its troubles since it last went well.

    A message is a success, and so is an opening that has lasted for a while: a watch of a quiet job set carries
    nothing. What is refused when a stream is opened (credentials, a job set that is not there) never counts as that.

    :param position: the message id after which to begin; "" for the beginning
    :param patience: how long errors are waited out, and the pauses between the openings
    :param missing: s for which a queue or job set that does not exist is waited for
    :param kind: tells what any other error means
    :param healthy_after: s for which an opening must last to count as a success
    """

    def __init__(
        self,
        position: str,
        patience: Patience,
        *,
        missing: float = 0.0,
        kind: Callable[[BaseException], Kind] = kind_of,
        healthy_after: float = HEALTHY_AFTER,
    ) -> None:
        self.position = position
        self._trouble = Trouble(patience, kind)
        self._missing = Trouble(replace(patience, outage=missing, error=missing), lambda error: Kind.ERROR)
        self._healthy_after = healthy_after
        self._opened_at = 0.0
        self._told = False
        self._silent = 0

    @property
    def failures(self) -> int:
        """How often it has broken since it last went well."""
        return self._trouble.failures + self._missing.failures

    def opened(self, now: float) -> None:
        """Take note that the stream is being opened.

        :param now: the time
        """
        self._silent = 0 if self._told else self._silent + 1
        self._opened_at, self._told = now, False

    def received(self, position: str) -> None:
        """Take note of a message, or of the last one of several.

        :param position: its id; an empty one leaves the stream where it was
        """
        self.position = position or self.position
        self._told = True
        self._over()

    def idle(self, shortest: float, longest: float) -> float:
        """Return for how many seconds this opening may be silent before it is taken for half-open.

        The time doubles with each opening in a row that told of nothing, with jitter.

        :param shortest: s, after an opening that told of something
        :param longest: s
        """
        return min(shortest * 2.0 ** min(max(self._silent - 1, 0), 20), longest) * random.uniform(0.8, 1.2)

    def broken(self, error: BaseException | None, now: float) -> float | None:
        """Take note that the stream broke.

        :param error: how; None when the server ended it
        :param now: the time
        :return: s to wait before it is opened again; None if that cannot help, or has not helped for too long
        """
        if now - self._opened_at >= self._healthy_after and not _at_the_door(error):
            self._over()
        if isinstance(error, JobSetNotFound | QueueNotFound):
            self._trouble.over()
            return self._missing.pause_after(error, now)
        self._missing.over()
        return self._trouble.pause_after(StreamEnded() if error is None else error, now)

    def _over(self) -> None:
        self._trouble.over()
        self._missing.over()


def _at_the_door(error: BaseException | None) -> bool:
    return isinstance(error, CredentialsError) or (isinstance(error, ArmadaRpcError) and error.refused)
