"""
The thread that writes the task logs of a process.

A full log pipe then stalls neither the event loop nor other threads' work. What is short goes first: hundreds of jobs
that end together have thousands of lines to show, and a task that has two would wait behind them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from heapq import heappop, heappush
from threading import Lock

_LATER = 0.5  # s that a batch lets others go first, for each of its lines


class LogWriter:
    """Writes batches of lines, one after the other; one that waits gets its turn however many short ones come."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="armada-log")
        self._waiting: list[tuple[float, int, Callable[[], None], Future[None]]] = []
        self._numbers = itertools.count()
        self._changing = Lock()

    async def write(self, lines: int, work: Callable[[], None]) -> None:
        """
        Write a batch.

        :param lines: how many it has.
        :param work: writes them; called in the thread.
        """
        done: Future[None] = Future()
        with self._changing:
            heappush(self._waiting, (time.monotonic() + lines * _LATER, next(self._numbers), work, done))
        self._thread.submit(self._write_next)
        await asyncio.wrap_future(done)

    def _write_next(self) -> None:
        with self._changing:
            *_, work, done = heappop(self._waiting)
        if not done.set_running_or_notify_cancel():
            return
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
