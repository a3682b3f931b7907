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

_PAUSE = 0.05  # s between two looks


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
    Wait until the supervisor has read all that is logged by now, whatever is logged meanwhile.

    :param bound: s to wait at most.
    :return: whether it has.
    """
    pipe = _PIPES.setdefault(asyncio.get_running_loop(), _Pipe())
    return await pipe.until_read(bound)


class _Pipe:
    """Looks at the socket for all who wait; each fall of what is left in it is so much that was read, at least."""

    def __init__(self) -> None:
        self._left = self._read = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._looking: asyncio.Task[None] | None = None

    async def until_read(self, bound: float) -> bool:
        self._look()
        if not self._left:
            return True
        read = asyncio.get_running_loop().create_future()
        self._waiting[read] = self._read + self._left
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._keep_looking())
        try:
            await asyncio.wait([read], timeout=bound)
        finally:
            self._waiting.pop(read, None)
        return read.done()

    def _look(self) -> None:
        left = unread()
        self._read += max(0, self._left - left)
        self._left = left

    async def _keep_looking(self) -> None:
        while self._waiting:
            await asyncio.sleep(_PAUSE)
            self._look()
            for one, target in list(self._waiting.items()):
                if not one.done() and (not self._left or self._read >= target):
                    one.set_result(None)
                    del self._waiting[one]


_PIPES: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pipe] = WeakKeyDictionary()
