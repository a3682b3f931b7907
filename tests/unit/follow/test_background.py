"""Background tasks."""

from __future__ import annotations

import asyncio
import contextvars

from airflow_armada.follow import background


async def test_a_background_task_does_not_inherit_the_context_of_who_started_it() -> None:
    task_log = contextvars.ContextVar("task_log", default="nobody's")
    task_log.set("the first task's")
    seen: list[str] = []

    async def look() -> None:
        seen.append(task_log.get())

    await background.spawn(look(), "look")

    assert seen == ["nobody's"]


async def test_ending_a_task_waits_for_it_even_if_it_swallows_a_cancellation() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    task = background.spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)

    await background.end(task, None)

    assert task.done()
