"""Background tasks that belong to nobody's trigger."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any


def spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task in an empty context.

    A task inherits the context variables of whoever starts it, and with them, in a triggerer, the task log: what many
    jobs share must not write into the log of the one that happened to come first.
    """
    loop = asyncio.get_running_loop()
    task: asyncio.Task[None] = contextvars.Context().run(loop.create_task, coroutine)
    task.set_name(name)
    return task


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they have ended; their errors were theirs to handle."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
