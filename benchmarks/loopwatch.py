"""How long an event loop is blocked."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

TICK = 0.005


class LoopWatch:
    """Looks every 5 ms whether the loop is still turning.

    ``blocked`` is by the clock of the wall, in which a busy machine counts too; ``worked`` is the CPU time that the
    loop's thread spent between two looks, which is its own doing.
    """

    def __init__(self) -> None:
        self.blocked = 0.0
        self.worked = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._wall = self._cpu = 0.0

    def __enter__(self) -> LoopWatch:
        self._wall, self._cpu = time.monotonic(), time.thread_time()
        self._handle = asyncio.get_running_loop().call_later(TICK, self._look)
        return self

    def _look(self) -> None:
        wall, cpu = time.monotonic(), time.thread_time()
        self.blocked = max(self.blocked, wall - self._wall - TICK)
        self.worked = max(self.worked, min(cpu - self._cpu, wall - self._wall))
        self._wall, self._cpu = wall, cpu
        self._handle = asyncio.get_running_loop().call_later(TICK, self._look)

    def __exit__(self, *_: object) -> None:
        if self._handle:
            self._handle.cancel()


def resident_bytes() -> int:
    """Return the memory of this process that is in use, after collecting garbage."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def until(condition: object, deadline: float, every: float = 0.01) -> None:
    """Wait until a function returns something true.

    :raises TimeoutError: when the deadline, in s from now, has passed
    """
    assert callable(condition)
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline:.0f} s for {getattr(condition, '__name__', condition)}")
        await asyncio.sleep(every)
