"""The stored event streams: one per queue and job set, appended to by the engine, read by any number of watchers."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from airflow_armada.api.event_pb2 import EventMessage, EventStreamMessage
from airflow_armada.standalone import clock
from airflow_armada.standalone.store.message_id import START, Position, message_id

MAX_ENTRY = 1000


@dataclass
class JobSetLog:
    """The events of one job set, serialized, in order.

    :param newest: the position of the newest event, also of one that is forgotten
    :param written: monotonic seconds of the last event
    """

    positions: list[Position] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    newest: Position = START
    written: float = field(default_factory=clock.monotonic)
    _waiters: set[asyncio.Future[None]] = field(default_factory=set)

    def append(self, messages: Sequence[EventMessage]) -> None:
        """Store one entry and wake the watchers."""
        millisecond, sequence = self._next_entry()
        for index, message in enumerate(messages):
            position = Position(millisecond, sequence, index)
            envelope = EventStreamMessage(id=message_id(position, index == len(messages) - 1), message=message)
            self.positions.append(position)
            self.events.append(envelope.SerializeToString())
            self.newest = position
        self.written = clock.monotonic()
        self.wake()

    def _next_entry(self) -> tuple[int, int]:
        now = clock.time_ns() // 1_000_000
        if now > self.newest.millisecond:
            return now, 0
        return self.newest.millisecond, self.newest.sequence + 1

    def index_after(self, position: Position) -> int:
        """Return where to read on after a position."""
        return bisect_right(self.positions, position)

    def wake(self) -> None:
        """Let every watcher look again."""
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    @property
    def idle(self) -> bool:
        """Whether there is neither an event nor anyone who waits for one."""
        return not self.events and not self._waiters

    async def changed(self) -> None:
        """Wait until something is appended."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class EventStore:
    """All job sets' streams.

    :param repeats: gives how often to store every event once more, as an at-least-once pipeline may
    """

    def __init__(self, repeats: Callable[[], int] = int) -> None:
        self._repeats = repeats
        self._logs: dict[tuple[str, str], JobSetLog] = {}

    def append(self, queue: str, job_set_id: str, messages: Sequence[EventMessage]) -> None:
        """Store events of one job set, as entries of a bounded size."""
        log = self.open(queue, job_set_id)
        for start in range(0, len(messages), MAX_ENTRY):
            for _ in range(self._repeats() + 1):
                log.append(messages[start : start + MAX_ENTRY])

    def open(self, queue: str, job_set_id: str) -> JobSetLog:
        """Return a job set's stream, an empty one if it has none yet."""
        return self._logs.setdefault((queue, job_set_id), JobSetLog())

    def exists(self, queue: str, job_set_id: str) -> bool:
        """Return whether a job set has any stored event."""
        log = self._logs.get((queue, job_set_id))
        return log is not None and bool(log.events)

    def wake_all(self) -> None:
        """Let every watcher of every job set look again."""
        for log in self._logs.values():
            log.wake()

    def forget(self, queue: str, job_set_id: str) -> None:
        """Drop a job set's history; those who watch it see what comes next."""
        if log := self._logs.get((queue, job_set_id)):
            log.positions.clear()
            log.events.clear()

    def forget_beyond(self, most: int) -> None:
        """Drop histories, of the job sets that were quiet longest, until no more events than this are left.

        The history of the job set that was written to last is kept whole.
        """
        by_age = sorted((log.written, key) for key, log in self._logs.items() if log.events)
        left = sum(len(log.events) for log in self._logs.values())
        for _, key in by_age[:-1]:
            if left <= most:
                break
            left -= len(self._logs[key].events)
            self.forget(*key)

    def forget_older_than(self, seconds: float) -> None:
        """Drop the history of every job set in which nothing has happened for a time."""
        horizon = clock.monotonic() - seconds
        for key in [key for key, log in self._logs.items() if log.written < horizon]:
            self.forget(*key)
            if self._logs[key].idle:
                del self._logs[key]
