"""
What triggers import, gRPC among it, in a thread.

It takes some 0.3 s of CPU, once in a process, and triggers begin in the event loop that all of a triggerer's share.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from weakref import WeakKeyDictionary

from airflow_armada._detached import start_detached

_MODULES = tuple(
    f"airflow_armada.{name}"
    for name in (
        "hooks.settings",
        "follow.follower",
        "follow.site",
        "follow.log.rest_of_log",
        "jobs.results",
        "wait.copies",
        "wait.metrics",
        "client.client",
        "client.site.allowed_credentials",
    )
)
_imports: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


async def imported() -> None:
    """Return when all that following and cancelling a job needs is imported; all triggers wait for one thread."""
    loop = asyncio.get_running_loop()
    if loop not in _imports:
        if all(name in sys.modules for name in _MODULES):
            return
        _imports[loop] = start_detached(asyncio.to_thread(import_all))
    await asyncio.shield(_imports[loop])


def import_all() -> None:
    """Import it here and now."""
    import_module("asgiref.sync")
    for name in _MODULES:
        import_module(name)
