"""What time it is for the embedded Armada: the machine's, or that of a simulation under virtual time.

Waiting is the event loop's business (``asyncio.sleep``), so a simulation brings a loop with the same clock.
"""

from __future__ import annotations

import time as system
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def time_ns(self) -> int:
        """Return the nanoseconds since 1970."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class SystemClock:
    """The machine's clock."""

    def time_ns(self) -> int:
        return system.time_ns()

    def monotonic(self) -> float:
        return system.monotonic()


_SYSTEM = SystemClock()
_clock: ContextVar[Clock] = ContextVar("clock", default=_SYSTEM)


@contextmanager
def use(clock: Clock) -> Iterator[None]:
    """Let this context, and every task that is started in it, go by a clock."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


def time_ns() -> int:
    """Return the nanoseconds since 1970."""
    return _clock.get().time_ns()


def time() -> float:
    """Return the seconds since 1970."""
    return _clock.get().time_ns() / 1e9


def monotonic() -> float:
    """Return seconds that never go back."""
    return _clock.get().monotonic()
