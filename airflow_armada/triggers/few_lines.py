"""
How many killed tasks say so in their log.

A triggerer has one pipe for all that its triggers write, which Airflow reads a little of at a time. The lines of
hundreds that are killed at once would hold up everybody else, and most of them come after Airflow has closed the task's
log.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from airflow_armada.follow.log.budget import TokenBucket

_AT_ONCE, _PER_SECOND = 20.0, 1.0


def may_say() -> bool:
    """
    Tell whether a trigger that is taken away may say so.

    :return: true for the first twenty of an event loop, and for one a second after that.
    """
    return _LINES.setdefault(asyncio.get_running_loop(), TokenBucket(_PER_SECOND, _AT_ONCE)).take_one()


_LINES: WeakKeyDictionary[asyncio.AbstractEventLoop, TokenBucket] = WeakKeyDictionary()
