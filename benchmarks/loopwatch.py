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
    loop's thread spent between two looks without Python's garbage collection, and ``collected`` the longest of those,
    which depends on how many objects the whole process has. All are the longest seen, in s.
    """

    def __init__(self) -> None:
        self.blocked = self.worked = self.collected = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._wall = self._cpu = 0.0
        self._collecting = self._collections = 0.0

    def __enter__(self) -> LoopWatch:
        gc.callbacks.append(self._collection)
        self._start()
        return self

    def _start(self) -> None:
        self._wall, self._cpu, self._collections = time.monotonic(), time.thread_time(), 0.0
        self._handle = asyncio.get_running_loop().call_later(TICK, self._look)

    def _look(self) -> None:
        wall, cpu = time.monotonic() - self._wall, time.thread_time() - self._cpu
        self.blocked = max(self.blocked, wall - TICK)
        self.worked = max(self.worked, min(cpu, wall) - self._collections)
        self._start()

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            took = time.thread_time() - self._collecting
            self._collections += took
            self.collected = max(self.collected, took)

    def result(self, prefix: str = "") -> dict[str, float]:
        """Return the three figures by name."""
        return {f"{prefix}{name}": getattr(self, name) for name in ("blocked", "worked", "collected")}

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._collection)
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
