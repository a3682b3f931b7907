"""What of the provider is left when all has ended: tasks, timers, sites with their watches, channels."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_armada.follow.site import _SITES

if TYPE_CHECKING:
    from tests.simulation.world import World

LINGER = 90.0
"""Seconds after which whatever lingers for the next user is gone."""


def leftovers(world: World) -> Iterator[str]:
    """
    Find what nobody has ended.

    :param world: where the life was.
    """
    loop: Any = asyncio.get_running_loop()
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        code = getattr(coroutine, "cr_code", None)
        if not task.done() and code is not None and _is_ours(code.co_filename):
            yield f"the task {coroutine.__qualname__} is left"
    for _, _, handle in loop._later:
        code = getattr(getattr(handle.callback, "__func__", handle.callback), "__code__", None)
        if not handle.gone and code is not None and _is_ours(code.co_filename):
            yield f"the timer {handle.callback} is left"
    for key, shared in _SITES.items():
        if key[0] is loop:
            yield f"the site {shared.site.settings.target} is left, with {len(shared.site.watches)} watches"
    open_channels = sum(not channel.closed for channel in world.channels)
    if open_channels:
        yield f"{open_channels} channels of {len(world.channels)} are left open"


def _is_ours(path: str) -> bool:
    return "/airflow_armada/" in path and "/standalone/" not in path
