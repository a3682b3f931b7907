"""Reading one job set's event stream for as long as it is wanted, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from airflow_armada.client.errors import ArmadaError, InvalidRequest, from_grpc
from airflow_armada.client.events.resuming import Resuming
from airflow_armada.client.patience import Kind, Patience
from airflow_armada.follow.stream.slim_events import open_events, time_of
from airflow_armada.follow.timings import Timings

logger = logging.getLogger(__name__)

METHOD = "GetJobSetEvents"

_AT_ONCE = 200
"""Events handed on in one turn of the event loop, and so the most that wait for it."""


class EventStream:
    """Keeps a stream open and hands its events on, those of a few milliseconds together: they cost less one after the
    other than between the steps of receiving them.

    The stream is opened again, from the last message id, when it breaks, when the server ends it, and when it stays
    silent for so long that it may be half-open: a silent watch carries no bytes.

    :param channel: the channel to open the stream on
    :param queue: the queue of the job set
    :param job_set_id: its id
    :param position: the message id after which to begin
    :param receive: takes the messages that came; must be quick and must not raise
    :param timings: waiting times
    """

    def __init__(
        self,
        channel: Any,
        queue: str,
        job_set_id: str,
        position: str,
        receive: Callable[[Sequence[Any]], None],
        timings: Timings,
    ) -> None:
        patience = Patience(math.inf, math.inf, timings.first_back_off, timings.max_back_off)
        # Whoever follows a job waits on whatever the server says; others decide when that makes no sense any more.
        self._resuming = Resuming(
            position,
            patience,
            missing=math.inf,
            kind=lambda error: Kind.OUTAGE,
            healthy_after=timings.max_back_off,
        )
        self._received_at = 0.0
        self.events = 0
        self.opened = 0
        self.opened_at = 0.0
        self.error: ArmadaError | None = None
        self.down_since: float | None = None
        self._channel = channel
        self._queue = queue
        self._job_set_id = job_set_id
        self._receive = receive
        self._timings = timings
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._arrived: list[Any] = []
        self._handing: asyncio.TimerHandle | None = None
        self._call: Any = None
        self._cut = False
        self._up = False
        self._warned = False
        self._opened_wall = 0.0
        self._arrived_at = 0.0
        self._first_pause = patience.pause(0)
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def position(self) -> str:
        """The id of the last message, after which the stream goes on."""
        return self._resuming.position

    @property
    def lag(self) -> float:
        """Seconds from the server's storing of the newest event to its receipt, by the clocks of both."""
        return max(0.0, self._received_at - time_of(self.position))

    @property
    def current(self) -> bool:
        """Whether all that is stored seems to have been told: it is up, and has told of now, or has no more to tell."""
        waited = self._clock() - max(self.opened_at, self._arrived_at) >= self._timings.settle
        return self._up and (waited or time_of(self.position) >= self._opened_wall)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self._resuming.opened(self._clock())
            error = await self._read_safely()
            if self._cut:
                await asyncio.sleep(self._first_pause)
            else:
                self._went_down(error)
                await asyncio.sleep(self._resuming.broken(error, self._clock()) or 0.0)

    def reopen(self) -> None:
        """Open the stream again from where it stands: it has missed something, or waited too long for nothing."""
        if self._call is not None and not self._cut:
            self._cut = True
            self._call.cancel()

    def suspect(self) -> None:
        """Open the stream again unless it tells of something soon: a snapshot knew more than it has told."""

        def check(seen: int) -> None:
            self._timers.pop("suspicion", None)
            if self.events == seen:
                self.reopen()

        if self._call is not None and "suspicion" not in self._timers:
            self._timers["suspicion"] = self._loop.call_later(self._timings.settle, check, self.events)

    def use(self, channel: Any) -> None:
        """Go on with another channel, from where the stream stands."""
        self._channel = channel
        self.reopen()

    async def _read_safely(self) -> ArmadaError | None:
        """Read one call to its end, whatever goes wrong: nobody else would open the stream again."""
        try:
            return await self._read()
        except Exception as error:
            logger.exception("The event stream of job set %s broke; it is opened again", self._job_set_id)
            return ArmadaError(f"the event stream broke: {type(error).__name__}: {error}")

    async def _read(self) -> ArmadaError | None:
        """Read one call to its end.

        :return: what ended it, None when the server or :meth:`reopen` did
        """
        self._call = call = open_events(self._channel, self._queue, self._job_set_id, from_id=self.position)
        self._cut = False
        self.opened += 1
        self.opened_at = self._clock()
        self._opened_wall = time.time()
        self._watch_over()
        try:
            await self._consume(call)
        except asyncio.CancelledError:
            if not self._cut:
                raise
        except grpc.RpcError as error:
            return self._judge(from_grpc(error, METHOD))
        except ArmadaError as error:
            return error
        finally:
            self._stop_timers()
            self._up = False
            self._call = None
            call.cancel()
            self._hand_on()
        return None

    async def _consume(self, call: Any) -> None:
        """Gather what comes; while much of it waits to be handed on, nothing more is read, so that the server waits."""
        arrived = self._arrived
        async for message in call:
            arrived.append(message)
            if len(arrived) >= _AT_ONCE:
                self._hand_on()
            elif self._handing is None:
                self._handing = self._loop.call_later(self._timings.gather, self._hand_on)

    def _hand_on(self) -> None:
        """Hand on what has arrived."""
        if self._handing is not None:
            self._handing.cancel()
            self._handing = None
        batch = self._arrived[:]
        if batch:
            self._arrived.clear()
            self.events += len(batch)
            readable = [message.id for message in batch if message.id]
            self._resuming.received(readable[-1] if readable else "")
            if len(readable) < len(batch) and not self._warned:
                self._warned = True
                logger.warning("Events of job set %s that cannot be decoded are skipped", self._job_set_id)
            self._received_at = time.time()
            self._arrived_at = self._clock()
            self._receive(batch)

    def _judge(self, error: ArmadaError) -> ArmadaError:
        if isinstance(error, InvalidRequest):
            # The server does not take this id; the beginning of the history it always takes.
            self._resuming.position = ""
        return error

    def _watch_over(self) -> None:
        loop = asyncio.get_running_loop()
        idle = self._resuming.idle(self._timings.idle, self._timings.max_idle)

        def check_idle(seen: int) -> None:
            if self.events == seen:
                self.reopen()
            else:
                self._timers["idle"] = loop.call_later(self._timings.idle, check_idle, self.events)

        def check_up(seen: int) -> None:
            ready = self._channel.get_state() is grpc.ChannelConnectivity.READY
            if self.events > seen or ready:
                self.error, self.down_since, self._up = None, None, True
            else:
                self._timers["up"] = loop.call_later(self._timings.settle, check_up, seen)

        settle = self._timings.settle
        self._timers = {
            "idle": loop.call_later(idle, check_idle, self.events),
            "up": loop.call_later(settle, check_up, self.events),
        }

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _went_down(self, error: ArmadaError | None) -> None:
        self.error = error
        if self.down_since is None:
            self.down_since = self._clock()
