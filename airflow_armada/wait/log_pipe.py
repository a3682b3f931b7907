"""
Whether Airflow has read what a trigger wrote to the log of its task.

All triggers of a triggerer write into one socket, which its supervisor reads a little of at a time. When it hears that
a trigger has finished it closes the log of the task, and what it reads after that never gets there.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import struct
import termios
from weakref import WeakKeyDictionary

import structlog

_PAUSE = 0.05  # s between two looks, for all who wait


def unread() -> int:
    """
    Tell how much of what this process has logged its supervisor has not read yet.

    :return: a number that is 0 once all is read, and wherever logs do not go through a socket.
    """
    file = getattr(structlog.get_config().get("logger_factory"), "io", None)
    try:
        descriptor = file.fileno()  # type: ignore[union-attr]
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return 0
        # Linux counts what the other side has not taken, for sockets of this kind too (unix(7), SIOCOUTQ).
        (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, struct.pack("i", 0)))
    except (AttributeError, OSError, ValueError):
        return 0
    return int(count)


async def until_read(bound: float) -> bool:
    """
    Wait until the supervisor has read all that is logged by now.

    :param bound: s to wait at most.
    :return: whether it has.
    """
    if not unread():
        return True
    loop = asyncio.get_running_loop()
    look = _LOOKS.get(loop)
    if look is None or look.done():
        look = _LOOKS[loop] = loop.create_task(_look())
    done, _ = await asyncio.wait([look], timeout=bound)
    return bool(done)


async def _look() -> None:
    while unread():  # noqa: ASYNC110 (nothing tells when the other side has read)
        await asyncio.sleep(_PAUSE)


_LOOKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()
