"""How many followers begin in one turn of the event loop, so that many who come at once do not block it."""

from __future__ import annotations

import asyncio
from collections import deque


class StartPace:
    """Lets a number of tasks pass in each turn of the event loop, in the order in which they came.

    :param width: how many
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop = asyncio.get_running_loop()

    async def pass_through(self) -> None:
        """Return when it is one's turn, which is at once while few come."""
        if not self._passed:
            self._loop.call_soon(self._next_turn)
        if self._passed < self._width:
            self._passed += 1
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_turn(self) -> None:
        self._passed = 0
        while self._waiting and self._passed < self._width:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._passed += 1
        if self._passed:
            self._loop.call_soon(self._next_turn)
