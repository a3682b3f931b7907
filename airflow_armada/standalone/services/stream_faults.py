"""What faults mean to one open watch."""

from __future__ import annotations

import asyncio
import contextlib

import grpc

from airflow_armada.standalone import clock
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.store.event_log import JobSetLog


class StreamFaults:
    """Decides when a watch is silent, ends or breaks off."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._opened = clock.monotonic()
        self._interruptions = len(faults.interruptions)
        self._sent = 0

    @property
    def silent(self) -> bool:
        return self._faults.silent

    def closes(self) -> bool:
        """Return whether the watch ends now, as if nothing were left.

        :raises ApiError: the watch is broken off
        """
        if len(self._faults.interruptions) > self._interruptions:
            answer = self._faults.interruptions[-1]
            if answer is not None:
                raise ApiError(answer.code, answer.text)
            return True
        return self._left() == 0

    def _left(self) -> float | None:
        after = self._faults.close_streams_after
        return None if after is None else max(0.0, self._opened + after - clock.monotonic())

    def before_message(self) -> None:
        """Count a message that is about to be sent.

        :raises ApiError: the watch is broken off instead
        """
        limit = self._faults.drop_streams_after
        if limit is not None and self._sent >= limit:
            raise ApiError(grpc.StatusCode.UNAVAILABLE, "[GetJobSetEvents] error sending event: dropped by a fault")
        self._sent += 1

    async def wait(self, log: JobSetLog) -> None:
        """Wait until something is appended, or until the watch has to be looked at again."""
        left = self._left()
        if left is None:
            await log.changed()
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(log.changed(), left)
