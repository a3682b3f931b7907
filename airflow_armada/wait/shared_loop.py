"""
An event loop beside the main thread, for the jobs that the async code of a task waits for.

Airflow's signal handlers run, and raise, in the main thread, where the task's own loop is: ``execution_timeout`` leaves
that loop where it stands, with everything that was to be cleaned up. This one goes on. All jobs that the task waits for
at the same time are in it, so that they share streams and log calls.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from typing import Any, TypeVar

from airflow_armada._compat import AirflowException
from airflow_armada.wait.patience import AFTER_KILL
from airflow_armada.wait.worker_loop import free_channels

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

_LAST_WORDS = 600.0  # s; as long as Armada may be away
_CLOSE = 5.0  # s


class SharedLoop:
    """
    Runs work until there is none left; then its thread ends, and with it gRPC's.

    What is left when the process ends is cancelled, and waited for, as by :meth:`end`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: _LoopThread | None = None
        self._work: dict[futures.Future[Any], _LoopThread] = {}

    async def run(self, work: Work[T]) -> T:
        """
        Run something beside the caller. A caller that is cancelled cancels it and waits for its end.

        :param work: makes the coroutine.
        :return: its result.
        :raises AirflowException: when :meth:`end` has ended it.
        """
        future, thread = self._begin(work)
        waiter = asyncio.wrap_future(future)
        waiter.add_done_callback(_hear)
        try:
            return await asyncio.shield(waiter)
        except asyncio.CancelledError:
            if not waiter.done():
                thread.cancel(future)
                await asyncio.wait([waiter])
            elif not _is_cancelled():
                raise AirflowException("The task was killed, and what it waited for in Armada with it") from None
            raise
        finally:
            if thread.over.is_set():
                # Whoever forks this process next, as OpenLineage does, must find no thread of gRPC in it.
                await asyncio.wait([asyncio.wrap_future(thread.closed)], timeout=_CLOSE)

    def end(self) -> None:
        """
        Cancel all work because the task is killed or its time is up, and wait for its end.

        Airflow calls it in its signal handler, while the task's loop runs and a few seconds are left, or after that
        loop was left. A handler interrupts the main thread anywhere: so no lock of ours is taken here.
        """
        left = dict(self._work)
        for future, thread in left.items():
            thread.cancel(future)
        futures.wait(left, AFTER_KILL if asyncio._get_running_loop() is not None else _LAST_WORDS)

    def _begin(self, work: Work[T]) -> tuple[futures.Future[T], _LoopThread]:
        future: futures.Future[T] = futures.Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._thread is None:
                self._thread = _LoopThread()
                atexit.register(self.end)
            thread = self._work[future] = self._thread  # from here on a kill finds it
            thread.begin(future, work, self._finish)
        return future, thread

    def _finish(self, future: futures.Future[Any], thread: _LoopThread) -> None:
        with self._lock:
            del self._work[future]
            if thread not in self._work.values():
                self._thread = None
                atexit.unregister(self.end)
                thread.over.set()


class _LoopThread:
    """A thread with an event loop, until :attr:`over`."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.closed: futures.Future[None] = futures.Future()
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[futures.Future[Any], asyncio.Task[Any]] = {}
        self._unwanted: set[futures.Future[Any]] = set()
        threading.Thread(target=self._main, name="armada-jobs", daemon=True).start()

    def begin(
        self,
        future: futures.Future[T],
        work: Work[T],
        finished: Callable[[futures.Future[Any], _LoopThread], None],
    ) -> None:
        """
        Start work in the context of the caller.

        :param future: is told what becomes of it.
        :param work: makes the coroutine.
        :param finished: called in the loop after that.
        """

        def end(task: asyncio.Task[T]) -> None:
            del self._tasks[future]
            self._unwanted.discard(future)
            if task.cancelled():
                future.set_exception(asyncio.CancelledError())
            elif error := task.exception():
                future.set_exception(error)
            else:
                future.set_result(task.result())
            finished(future, self)

        def start() -> None:
            task = self._tasks[future] = asyncio.ensure_future(work())
            task.add_done_callback(end)
            if future in self._unwanted:
                task.cancel()

        self._loop.call_soon_threadsafe(start, context=contextvars.copy_context())

    def cancel(self, future: futures.Future[Any]) -> None:
        """Cancel work, once, whether it has begun or not; safe in a signal handler."""
        if future not in self._unwanted and not future.done():
            self._unwanted.add(future)
            self._loop.call_soon_threadsafe(lambda: future in self._tasks and self._tasks[future].cancel())

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self.over.wait())
        finally:
            free_channels()
            self.closed.set_result(None)


def _hear(waiter: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody may wait for any more."""
    if not waiter.cancelled():
        waiter.exception()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


SHARED = SharedLoop()
"""The loop of this process."""
