"""The message bus between requests and their effects: while it is away, what is to be published waits, in order.

Seen on the real control plane with Pulsar stopped: calls that publish block without an error, and what they had to
publish is published later, also when the caller has given up meanwhile. The query API and the event streams are fed by
the same bus.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class MessageBus:
    """Carries out what is published, at once while the bus is there.

    :param is_away: tells whether it is away; call :meth:`look_again` when that changes
    """

    def __init__(self, is_away: Callable[[], bool]) -> None:
        self._is_away = is_away
        self._waiting: deque[tuple[Work, asyncio.Future[None]]] = deque()

    async def publish(self, work: Work) -> None:
        """Carry out some work, as soon as the bus is there; it is not lost when the caller is cancelled meanwhile."""
        if not self._is_away():
            work()
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        await asyncio.shield(done)

    def post(self, work: Work) -> None:
        """Carry out some work as :meth:`publish` does, without waiting for it."""
        if self._is_away():
            self._waiting.append((work, asyncio.get_running_loop().create_future()))
        else:
            work()

    async def available(self) -> None:
        """Wait until the bus is there."""
        await self.publish(_nothing)

    def look_again(self) -> None:
        """Carry out what waits, if the bus is back."""
        while self._waiting and not self._is_away():
            work, done = self._waiting.popleft()
            work()
            done.set_result(None)


def _nothing() -> None:
    """Be published, to learn that something can be."""
