"""
How many killed tasks say so in their log.

A triggerer has one pipe for all that its triggers write, which Airflow reads a little of at a time. The lines of
hundreds that are killed at once would hold up everybody else, and most of them come after Airflow has closed the task's
log.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

_AT_ONCE, _PER_SECOND = 20.0, 1.0


class FewLines:
    """Lets some through at once, and then so many a second."""

    def __init__(self) -> None:
        self._left = _AT_ONCE
        self._at = asyncio.get_running_loop().time()

    def take(self) -> bool:
        """Tell whether one more may say what it does."""
        now = asyncio.get_running_loop().time()
        self._left = min(_AT_ONCE, self._left + (now - self._at) * _PER_SECOND)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def may_say() -> bool:
    """
    Tell whether a trigger that is taken away may say so.

    :return: true for the first twenty of an event loop, and for one a second after that.
    """
    loop = asyncio.get_running_loop()
    if loop not in _LINES:
        _LINES[loop] = FewLines()
    return _LINES[loop].take()


_LINES: WeakKeyDictionary[asyncio.AbstractEventLoop, FewLines] = WeakKeyDictionary()
