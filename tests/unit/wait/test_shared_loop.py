"""Work beside the main thread, whatever becomes of the loop that waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from airflow.sdk.execution_time.timeout import timeout

from airflow_armada._compat import AirflowException, AirflowTaskTimeout
from airflow_armada.wait.shared_loop import SharedLoop


class Work:
    """Begins, hangs, and notes that it was cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cleaned_up = False
        self.thread = threading.current_thread()

    async def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.cleaned_up = True


async def until(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, 60)


def kept(value: str) -> Callable[[], Coroutine[None, None, str]]:
    async def work() -> str:
        return value

    return work


@contextmanager
def sigterm(handler: Callable[[], None]) -> Iterator[None]:
    def react(_number: int, _frame: FrameType | None) -> None:
        handler()

    before = signal.signal(signal.SIGTERM, react)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_all_work_is_in_one_thread_which_ends_with_it() -> None:
    loop, first, second = SharedLoop(), Work(), Work()
    tasks = [asyncio.create_task(loop.run(work)) for work in (first, second)]
    await until(first.begun)
    await until(second.begun)

    assert first.thread is second.thread is not threading.current_thread()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert first.cleaned_up
    assert second.cleaned_up
    first.thread.join(60)
    assert not first.thread.is_alive()
    assert await loop.run(kept("begun anew")) == "begun anew"


async def test_results_and_errors_reach_the_caller() -> None:
    async def fail() -> None:
        raise ValueError("refused")

    loop = SharedLoop()

    assert await loop.run(kept("done")) == "done"
    with pytest.raises(ValueError, match="refused"):
        await loop.run(fail)


async def test_a_caller_that_is_cancelled_waits_for_the_end() -> None:
    loop, work = SharedLoop(), Work()
    task = asyncio.create_task(loop.run(work))
    await until(work.begun)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert work.cleaned_up


async def test_an_error_in_a_task_group_cancels_what_runs_beside_it() -> None:
    loop, work = SharedLoop(), Work()

    async def fail() -> None:
        await until(work.begun)
        raise ValueError("the sibling")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(work))
            group.create_task(loop.run(fail))

    with pytest.raises(ExceptionGroup):
        await both()

    assert work.cleaned_up


def test_a_kill_ends_the_work_while_the_loop_of_the_task_is_held_up_and_fails_the_task() -> None:
    loop, work = SharedLoop(), Work()

    async def task() -> None:
        waiting = asyncio.create_task(loop.run(work))
        await until(work.begun)
        os.kill(os.getpid(), signal.SIGTERM)
        assert work.cleaned_up  # before the loop went on
        await waiting

    with sigterm(loop.end), pytest.raises(AirflowException, match="The task was killed"):
        asyncio.run(task())


def test_airflows_alarm_leaves_the_loop_of_the_task_but_not_the_work() -> None:
    loop, work = SharedLoop(), Work()
    own = asyncio.new_event_loop()
    with pytest.raises(AirflowTaskTimeout), timeout(0.5):
        own.run_until_complete(loop.run(work))
    assert not work.cleaned_up

    loop.end()  # as on_kill() does after execution_timeout

    assert work.cleaned_up
    own.run_until_complete(asyncio.sleep(0.1))
    own.close()


def test_what_nobody_waits_for_any_more_is_ended_with_the_process() -> None:
    loop, work = SharedLoop(), Work()
    own = asyncio.new_event_loop()

    async def gather() -> None:
        async def fail() -> None:
            await until(work.begun)
            raise ValueError("the sibling")

        await asyncio.gather(loop.run(work), fail())

    with pytest.raises(ValueError, match="the sibling"):
        own.run_until_complete(gather())

    loop.end()  # registered with atexit

    assert work.cleaned_up
    own.run_until_complete(asyncio.sleep(0.1))
    own.close()
