"""Background tasks that belong to nobody's trigger."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def spawn(coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start a task in an empty context.

    A task inherits the context variables of whoever starts it, and with them, in a triggerer, the task log: what many
    jobs share must not write into the log of the one that happened to come first.
    """
    loop = asyncio.get_running_loop()
    task: asyncio.Task[T] = contextvars.Context().run(loop.create_task, coroutine)
    task.set_name(name)
    return task


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they have ended; their errors were theirs to handle."""
    running = {task for task in tasks if task is not None and not task.done()}
    while running:
        for task in running:
            task.cancel()
        # More than once, because asyncio.wait_for can swallow a cancellation before Python 3.12.
        _, running = await asyncio.wait(running, timeout=1.0)
    for ended in tasks:
        if ended is not None and not ended.cancelled():
            ended.exception()
