"""
Blocking code under virtual time: a worker's main thread is a greenlet.

Where it would block, it hands an awaitable to the event loop and sleeps until that is done. So no thread waits, signals
and alarms come at moments that a seed decides, and a process that is killed simply never wakes again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

T = TypeVar("T")


class Thread(Generic[T]):
    """
    Runs blocking code beside the event loop, as a thread of a process would.

    :param work: the code.
    :param process: the process that it belongs to.
    """

    def __init__(self, work: Callable[[], T], process: Process) -> None:
        self._process = process
        self._greenlet = greenlet(work, parent=_hub())
        self._greenlet.gr_context = contextvars.copy_context()
        self._alarm: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._greenlet.armada_thread = self
        self.task: asyncio.Task[T] = asyncio.create_task(self._drive())
        self.task.add_done_callback(_look_at)
        process.threads.append(self)

    def alarm(self, error: BaseException) -> None:
        """Raise an error in the code, wherever it waits."""
        if not self._alarm.done():
            self._alarm.set_result(error)

    async def _drive(self) -> T:
        waits = self._greenlet.switch()
        while not self._greenlet.dead:
            waits = await self._answer(waits)
        return waits  # type: ignore[no-any-return]

    async def _answer(self, waits: Awaitable[Any]) -> Any:
        answer = asyncio.ensure_future(waits)
        try:
            await asyncio.wait({answer, self._alarm}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            answer.cancel()  # the process is gone, and with it its connections
            raise
        if self._alarm.done() and not answer.done():
            error, self._alarm = self._alarm.result(), asyncio.get_running_loop().create_future()
            if not getattr(answer, "outlives_alarms", False):
                answer.cancel()
            return self._greenlet.throw(error)
        try:
            value = answer.result()
        except asyncio.CancelledError:
            return self._greenlet.throw(asyncio.CancelledError())
        except BaseException as error:
            return self._greenlet.throw(error)
        return self._greenlet.switch(value)


class Process:
    """A worker's process: its threads end together, however that happens."""

    def __init__(self) -> None:
        self.threads: list[Thread[Any]] = []
        self.killed = False

    def kill(self) -> None:
        """End the process at once: no code of it runs any more."""
        self.killed = True
        for thread in self.threads:
            thread.task.cancel()


class Future(Generic[T]):
    """What :func:`airflow_armada.task.uninterrupted.begin` gives: a result that blocking code waits for."""

    def __init__(self, thread: Thread[T]) -> None:
        self._thread = thread

    def result(self, timeout: float | None = None) -> T:
        """Wait for the result as ``concurrent.futures.Future.result`` does."""
        task = self._thread.task

        async def wait() -> T:
            done, _ = await asyncio.wait({task}, timeout=timeout)
            if not done:
                raise TimeoutError
            return task.result()

        return hold(wait())


def _hub() -> greenlet:
    """Give the greenlet in which the event loop runs."""
    one = getcurrent()
    while one.parent is not None:
        one = one.parent
    return one


def current() -> Thread[Any]:
    """Give the thread whose code runs."""
    thread: Thread[Any] = getcurrent().armada_thread
    return thread


def current_process() -> Process | None:
    """Give the process whose code runs; None for code of the event loop."""
    thread: Thread[Any] | None = getattr(getcurrent(), "armada_thread", None)
    return thread._process if thread is not None else None


def begin(work: Callable[[], T], name: str) -> Future[T]:
    """Stand in for :func:`airflow_armada.task.uninterrupted.begin`."""
    return Future(Thread(work, current()._process))


def hold(waits: Awaitable[T]) -> T:
    """Wait in blocking code for something of the event loop."""
    thread = getattr(getcurrent(), "armada_thread", None)
    if thread is None or thread._process.killed:
        with suppress(AttributeError):
            waits.close()  # type: ignore[attr-defined]
        raise GreenletExit
    parent = getcurrent().parent
    assert parent is not None
    return parent.switch(waits)  # type: ignore[no-any-return]


_sleep = time.sleep


def sleep(seconds: float) -> None:
    """Stand in for ``time.sleep``; code outside of simulated threads sleeps really."""
    if hasattr(getcurrent(), "armada_thread"):
        hold(asyncio.sleep(seconds))
    else:
        _sleep(seconds)


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
