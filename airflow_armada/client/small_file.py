"""Reading the small files that a connection names: never one without an end, never one that is waited for."""

from __future__ import annotations

import errno
import os
import stat

LARGEST = 4 << 20
"""Bytes; the largest bundle of authorities in use has a tenth of it."""


def read_file(path: str, *, flags: int = 0) -> bytes:
    """
    Read a regular file whole.

    :param path: path of the file
    :param flags: further flags of ``open``, such as ``os.O_NOFOLLOW``
    :raises OSError: when it cannot be read, is a device, a pipe or a directory, or is larger than 4 MiB
    :raises ValueError: when the path is none
    """
    with open(open_regular(path, os.O_RDONLY | flags), "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST >> 20} MiB")
    return content


def open_regular(path: str, flags: int, mode: int = 0o600) -> int:
    """
    Open a regular file without waiting for anybody.

    :param path: path of the file
    :param flags: as for ``os.open``
    :param mode: of a file that is made
    :return: its descriptor, to be closed
    :raises OSError: when it cannot be opened or is no regular file
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "it is no regular file")
