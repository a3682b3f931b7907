"""Work that a trigger begins and that must go on when the trigger is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


def start_detached(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """
    Begin what must run to its end; whoever waits for it awaits ``asyncio.shield(task)``.

    :param work: what to run.
    :return: its task, which is kept until it is done.
    """
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


async def run_detached(work: Coroutine[Any, Any, T]) -> T:
    """
    Run to the end even if the caller is cancelled meanwhile.

    :param work: what to run.
    :return: what it gives, to a caller that is still there.
    """
    return await asyncio.shield(start_detached(work))


async def ask_airflow(question: Callable[..., T], *arguments: Any) -> T:
    """
    Call a function that asks Airflow's supervisor, from a trigger, without blocking its event loop.

    Airflow's own asynchronous calls do not work in ``dag.test()``. Before Airflow 3.3 the triggerer dies, with all of
    its triggers, of an answer that another event loop reads, or nobody (``Response read out of order!``). So the thread
    lets the triggerer's loop ask, as ``asgiref`` does and ``asyncio.to_thread`` does not, and always hears it out.

    :param question: the function.
    :param arguments: its arguments.
    :return: what it returns.
    """
    from asgiref.sync import sync_to_async

    return await run_detached(sync_to_async(question, thread_sensitive=False)(*arguments))
