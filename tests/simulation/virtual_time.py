"""A clock that jumps: nothing here waits, a simulated hour takes as long as what happens in it."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
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


class _Handle:
    """What is to be called; lighter than asyncio's, which is most of what a life would cost."""

    __slots__ = ("arguments", "callback", "context", "gone")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Any) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = context or contextvars.copy_context()
        self.gone = False

    def cancel(self) -> None:
        self.gone = True
        self.callback, self.arguments = _nothing, ()

    def cancelled(self) -> bool:
        return self.gone


class Loop(asyncio.BaseEventLoop):
    """
    An event loop without sockets and threads, whose time passes only when nothing is left to be done.

    :param virtual: its clock.
    """

    def __init__(self, virtual: VirtualTime) -> None:
        super().__init__()
        self._virtual = virtual
        self._now: deque[_Handle] = deque()
        self._later: list[tuple[float, int, _Handle]] = []
        self._count = 0
        self.steps = 0

    def time(self) -> float:
        return self._virtual.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = _Handle(callback, args, context)
        self._now.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self._virtual.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = _Handle(callback, args, context)
        self._count += 1
        heappush(self._later, (when, self._count, handle))
        return handle

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run it here: a thread would make what happens depend on the machine."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _run_once(self) -> None:
        now, later = self._now, self._later
        while later and later[0][2].gone:
            heappop(later)
        if not now and not self._stopping:  # type: ignore[attr-defined]
            if not later:
                raise RuntimeError("nothing will ever happen again, and somebody waits for it")
            self._virtual.now = max(self._virtual.now, later[0][0])
        while later and later[0][0] <= self._virtual.now:
            now.append(heappop(later)[2])
        for _ in range(len(now)):
            handle = now.popleft()
            if not handle.gone:
                self.steps += 1
                try:
                    handle.context.run(handle.callback, *handle.arguments)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler({"message": "a callback failed", "exception": error})

    def _process_events(self, event_list: Any) -> None:
        """Have no sockets."""


def _nothing(*_: Any) -> None:
    """Do nothing."""


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
    loop = Loop(virtual)
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
