"""Where an embedded Armada leaves its token for those who may use it: a file a port, for its own user only.

The server writes the file and holds a lock on it while it serves; clients of the same user read it when they connect to
that port of the loopback interface and have no credentials of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from airflow_armada.api.state_folder import state_folder

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def token_folder() -> Path:
    """Return the folder of the files."""
    return state_folder() / "standalone"


def token_file(port: int) -> Path:
    """Return the file of the server that listens on a port."""
    return token_folder() / f"token-{port}"


def loopback_port(target: str) -> int:
    """Return the port of ``host:port`` on the loopback interface, or 0 for any other address."""
    host, _, port = target.rpartition(":")
    return int(port) if host in LOOPBACK and port.isascii() and port.isdigit() and len(port) <= 5 else 0


def read_token(port: int) -> str:
    """Return the token of the server on a port, or "" if there is none that this user may trust.

    Only a file that belongs to this user and that nobody else can read or write counts.
    """
    try:
        descriptor = os.open(token_file(port), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, encoding="ascii", errors="replace") as file:
        found = os.fstat(descriptor)
        private = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
        return file.read(200).strip() if private else ""


class TokenFile:
    """A token left for this user's clients, until it is closed.

    :param port: where the server listens, or where something listens that forwards to it
    :raises OSError: the file cannot be written
    """

    def __init__(self, port: int, token: str) -> None:
        self.path = token_file(port)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(self.path.parent)
        self.path.unlink(missing_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._descriptor, token.encode("ascii") + b"\n")

    def close(self) -> None:
        """Remove the file, unless somebody else has put another one in its place."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._descriptor), os.lstat(self.path)):
                self.path.unlink()
        os.close(self._descriptor)


def _sweep(folder: Path) -> None:
    """Remove the files of servers that were killed: nobody holds a lock on them any more."""
    for path in folder.glob("token-*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
