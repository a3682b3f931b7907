"""When and where to open a broken event stream again: the rules that the sync and the asyncio stream share."""

from __future__ import annotations

import logging
import random
import time
from datetime import timedelta

import grpc

from airflow_armada.api import event_pb2
from airflow_armada.client.errors import (
    ArmadaRpcError,
    CredentialsError,
    JobSetNotFound,
    QueueNotFound,
    Unauthenticated,
)
from airflow_armada.client.patience import Patience

logger = logging.getLogger(__name__)

MISSING_GRACE = timedelta(seconds=20)
"""A job set appears in the event store a moment after its first submit, a new queue after up to 10 s."""

_CREDENTIALS_GRACE = 60.0
"""s for which a source of tokens may fail, as when its server restarts."""

_REFRESHES = 2
_WARN_AFTER = 5
_HEALTHY_AFTER = 20.0


class Resume:
    """The position of an event stream, and what to do each time it breaks.

    :param queue: the queue
    :param job_set_id: the job set
    :param from_message_id: continue after this message; "" for the beginning
    :param event_timeout: the longest that one opening of the stream lasts
    :param missing_grace: how long a queue or job set that does not exist is waited for
    :param backoff: pauses before opening it again
    """

    def __init__(
        self,
        queue: str,
        job_set_id: str,
        from_message_id: str,
        event_timeout: timedelta,
        missing_grace: timedelta = MISSING_GRACE,
        backoff: Patience | None = None,
    ) -> None:
        self.last_message_id = from_message_id
        self._queue = queue
        self._job_set_id = job_set_id
        self._event_timeout = event_timeout.total_seconds()
        self._missing_grace = missing_grace.total_seconds()
        self._backoff = backoff or Patience(first=0.2, most=10.0)
        self._failures = 0
        self._refusals = 0
        self._trouble_since: float | None = None
        self._final: BaseException | None = None
        self._opened = 0.0

    def opening(self) -> tuple[event_pb2.JobSetRequest, float]:
        """Return the request for the next opening, and its deadline in s.

        The deadline is what ends a stream that has died without a word; streams of one age do not end together.
        """
        if self._final is not None:
            raise self._final
        request = event_pb2.JobSetRequest(
            queue=self._queue,
            id=self._job_set_id,
            from_message_id=self.last_message_id,
            watch=True,
            errorIfMissing=True,
        )
        self._opened = time.monotonic()
        return request, self._event_timeout * random.uniform(0.9, 1.0)

    def received(self, message: event_pb2.EventStreamMessage) -> None:
        """Take note of a message that is handed to the caller."""
        self.last_message_id = message.id or self.last_message_id
        self._failures = self._refusals = 0
        self._trouble_since = None

    def broken(self, error: BaseException | None) -> float:
        """Return how many seconds to wait before opening the stream again.

        :param error: how the stream broke; None when it just ended, which a watch never does of itself
        :raises ArmadaRpcError: when opening it again cannot help; the stream then keeps raising it
        """
        lasted = time.monotonic() - self._opened
        if _is_deadline(error) and lasted >= self._event_timeout / 2:
            return 0.0
        if error is not None and self._is_final(error):
            self._final = error
            raise error
        if lasted >= _HEALTHY_AFTER:
            self._failures = 0
        pause = self._backoff.pause(self._failures)
        self._failures += 1
        self._log(error, pause)
        return pause

    def _is_final(self, error: BaseException) -> bool:
        if isinstance(error, CredentialsError):
            return self._troubled_for() >= _CREDENTIALS_GRACE
        if not isinstance(error, ArmadaRpcError):
            return True
        if isinstance(error, Unauthenticated):
            self._refusals += 1
            return self._refusals > _REFRESHES
        if isinstance(error, (JobSetNotFound, QueueNotFound)):
            return self._troubled_for() >= self._missing_grace
        self._trouble_since = None
        return error.refused

    def _troubled_for(self) -> float:
        """How long each opening has met the same kind of trouble, in s."""
        now = time.monotonic()
        self._trouble_since = now if self._trouble_since is None else self._trouble_since
        return now - self._trouble_since

    def _log(self, error: BaseException | None, pause: float) -> None:
        level = logging.WARNING if self._failures == _WARN_AFTER else logging.DEBUG
        logger.log(
            level,
            "Event stream of job set %s in queue %s broke (%s); opening it again in %.1f s after message %r",
            self._job_set_id,
            self._queue,
            error or "the server ended it",
            pause,
            self.last_message_id,
        )


def _is_deadline(error: BaseException | None) -> bool:
    return isinstance(error, ArmadaRpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
