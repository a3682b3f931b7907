"""A clock that jumps: nothing here waits, a simulated hour takes as long as what happens in it."""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from airflow_armada.standalone import clock, ids
from tests.simulation import blocking

T = TypeVar("T")

YEAR_2030 = 1_893_456_000.0


class VirtualTime:
    """A clock that jumps to the next timer of its loop."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return YEAR_2030 + self.now

    def time_ns(self) -> int:
        return int(self.time() * 1e9)

    def monotonic(self) -> float:
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: lets the time pass that it should wait."""

    def __init__(self, virtual: VirtualTime) -> None:
        super().__init__()
        self._virtual = virtual

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again, and somebody waits for it")
        self._virtual.now += max(0.0, timeout)
        return super().select(0)


@contextmanager
def _time_of(virtual: VirtualTime) -> Iterator[None]:
    """Let all code go by a clock: it looks at it through the module ``time``."""
    with (
        patch.object(time, "time", virtual.time),
        patch.object(time, "time_ns", virtual.time_ns),
        patch.object(time, "monotonic", virtual.monotonic),
        patch.object(time, "sleep", blocking.sleep),
        clock.use(virtual),
    ):
        yield


def run(work: Coroutine[Any, Any, T], seed: int) -> T:
    """
    Run a coroutine under virtual time.

    :param work: what to run.
    :param seed: of all chance in it.
    :return: its result.
    """
    virtual = VirtualTime()
    loop = asyncio.SelectorEventLoop(_JumpingSelector(virtual))
    loop.time = virtual.monotonic  # type: ignore[method-assign]
    loop.set_exception_handler(lambda _loop, _context: None)
    state = random.getstate()
    random.seed(seed)
    token = ids.random_bytes.set(random.Random(seed).randbytes)
    try:
        with _time_of(virtual):
            return loop.run_until_complete(work)
    finally:
        ids.random_bytes.reset(token)
        random.setstate(state)
        loop.close()
