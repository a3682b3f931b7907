"""
Work of credentials on threads of its own: whatever hangs there holds up neither an event loop nor other credentials.

For each key one thread runs at a time, and whoever asks meanwhile waits for the same result: so sources that hang cost
one thread each, however many calls want a token.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from airflow_armada.client.failure import CredentialsError

ResultT = TypeVar("ResultT")

_running: dict[Hashable, Future[Any]] = {}
_lock = threading.Lock()


def start(key: Hashable, work: Callable[[], ResultT]) -> Future[ResultT]:
    """
    Run something on a thread of its own, unless the same is running already.

    :param key: what it is
    :param work: what to run
    :return: its result to be
    """
    with _lock:
        known = _running.get(key)
        if known is not None:
            return known
        future: Future[ResultT] = Future()
        future.set_running_or_notify_cancel()
        _running[key] = future
        try:
            threading.Thread(target=_run, args=(key, work, future), name="armada-credentials", daemon=True).start()
        except RuntimeError:
            del _running[key]
            future.set_exception(CredentialsError("there is no thread left to fetch credentials in", transient=True))
    return future


async def run(key: Hashable, work: Callable[[], ResultT], longest: float) -> ResultT:
    """
    Await something that runs on a thread of its own; see :func:`start`.

    :param longest: s to wait
    :raises CredentialsError: when it takes longer
    """
    future = asyncio.wrap_future(start(key, work))
    try:
        await asyncio.wait({future}, timeout=longest)
        if future.done():
            return future.result()
        raise late(longest)
    finally:
        future.cancel()


def late(timeout: float) -> CredentialsError:
    """Make the error for a source that does not answer; it goes on in the background."""
    return CredentialsError(f"no credentials came within {timeout:g} s", transient=True)


def _run(key: Hashable, work: Callable[[], ResultT], future: Future[ResultT]) -> None:
    try:
        result = work()
    except BaseException as error:
        _forget(key)
        future.set_exception(error)
    else:
        _forget(key)
        future.set_result(result)


def _forget(key: Hashable) -> None:
    with _lock:
        _running.pop(key, None)


def _after_fork() -> None:
    """Threads do not survive a fork: what they were about to give never comes."""
    _lock.release()
    _running.clear()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork)
