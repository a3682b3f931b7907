"""The requests by which a client's stream is opened again and again, and the errors that end it."""

from __future__ import annotations

import logging
import math
import random
import time
from datetime import timedelta

import grpc

from airflow_armada.api import event_pb2
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, Unauthenticated
from airflow_armada.client.events.resuming import Resuming, StreamEnded
from airflow_armada.client.patience import Kind, Patience

logger = logging.getLogger(__name__)

MISSING_GRACE = timedelta(seconds=20)
"""A job set appears in the event store a moment after its first submit, a new queue after up to 10 s."""

PATIENCE = Patience(outage=math.inf, error=60.0, first=0.2, most=10.0)
"""A server that is away never ends a stream; refused credentials, or a failing source of them, do after a while."""

_WARN_AFTER = 5


class StreamRequests:
    """Opens a stream where it stands, until it is refused.

    :param queue: the queue
    :param job_set_id: the job set
    :param from_message_id: continue after this message; "" for the beginning
    :param event_timeout: the longest that one opening of the stream lasts
    :param missing_grace: how long a queue or job set that does not exist is waited for
    :param end_with_server: whether the stream ends when the server ends it, instead of being opened again
    :param patience: how long errors are waited out
    """

    def __init__(
        self,
        queue: str,
        job_set_id: str,
        from_message_id: str,
        event_timeout: timedelta,
        missing_grace: timedelta = MISSING_GRACE,
        *,
        end_with_server: bool = False,
        patience: Patience = PATIENCE,
    ) -> None:
        self._queue = queue
        self._job_set_id = job_set_id
        self._event_timeout = event_timeout.total_seconds()
        self._resuming = Resuming(from_message_id, patience, missing=missing_grace.total_seconds(), kind=_kind)
        self._end_with_server = end_with_server
        self._opened_at = 0.0
        self._final: BaseException | None = None

    def opening(self) -> tuple[event_pb2.JobSetRequest, float]:
        """Return the request for the next opening, and its deadline in s.

        The deadline is what ends a stream that has died without a word; streams of one age do not end together.

        :raises ArmadaError: what has ended the stream
        """
        if self._final is not None:
            raise self._final
        request = event_pb2.JobSetRequest(
            queue=self._queue,
            id=self._job_set_id,
            from_message_id=self._resuming.position,
            watch=True,
            errorIfMissing=True,
        )
        self._opened_at = time.monotonic()
        self._resuming.opened(self._opened_at)
        return request, self._event_timeout * random.uniform(0.9, 1.0)

    def received(self, message: event_pb2.EventStreamMessage) -> None:
        """Take note of a message that is handed to the caller."""
        self._resuming.received(message.id)

    def broken(self, error: BaseException | None) -> float:
        """Return how many seconds to wait before opening the stream again.

        :param error: how the stream broke; None when the server ended it
        :raises ArmadaError: when opening it again cannot help; the stream then keeps raising it
        :raises StreamEnded: when the server ended it, and that is wanted
        """
        now = time.monotonic()
        if _is_deadline(error) and now - self._opened_at >= self._event_timeout / 2:
            self._resuming.broken(None, now)
            return 0.0
        if error is None and self._end_with_server:
            raise StreamEnded
        pause = self._resuming.broken(error, now)
        if pause is None:
            assert error is not None
            self._final = error
            raise error
        self._log(error, pause)
        return pause

    def _log(self, error: BaseException | None, pause: float) -> None:
        level = logging.WARNING if self._resuming.failures == _WARN_AFTER else logging.DEBUG
        logger.log(
            level,
            "Event stream of job set %s in queue %s broke (%s); opening it again in %.1f s after message %r",
            self._job_set_id,
            self._queue,
            error or StreamEnded(),
            pause,
            self._resuming.position,
        )


def _kind(error: BaseException) -> Kind:
    if isinstance(error, CredentialsError | Unauthenticated):
        return Kind.ERROR
    away = isinstance(error, StreamEnded) or (isinstance(error, ArmadaRpcError) and not error.refused)
    return Kind.OUTAGE if away else Kind.FINAL


def _is_deadline(error: BaseException | None) -> bool:
    return isinstance(error, ArmadaRpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
