"""The folder in which pods have their private ones: nobody else uses it, and what a killed server left is removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

from airflow_armada.standalone.runner.supervisor import kill_marked

PREFIX = "armada-standalone-"
LOCK = ".lock"
PODS = "pods"
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class WorkFolder:
    """A folder that this process holds a lock on until :meth:`close`.

    :param path: where it is, kept at the end; without it a temporary one, removed at the end
    :ivar pods: where pods have their private folders
    :raises OSError: it cannot be made, or another server uses it
    """

    def __init__(self, path: Path | None = None) -> None:
        self.temporary = path is None
        if path is None:
            _sweep(Path(tempfile.gettempdir()))
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.pods = path / PODS
        self._lock = _locked(path)
        if self._lock < 0:
            raise OSError(f"the folder {path} is used by another embedded Armada")
        _clear(self.path)
        self.pods.mkdir(mode=0o700)

    def close(self) -> None:
        """Remove it, or what pods have left in it."""
        shutil.rmtree(self.path if self.temporary else self.pods, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """Lock a folder and return the descriptor that holds the lock, or -1 if somebody else does."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return -1
    return descriptor


def _sweep(parent: Path) -> None:
    """Remove this user's temporary folders of servers that are gone; one that is just being made has no lock yet."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if found.st_uid == os.getuid() and (folder / LOCK).exists() and not folder.is_symlink():
                descriptor = _locked(folder)
                if descriptor >= 0:
                    _clear(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(descriptor)


def _clear(folder: Path) -> None:
    """Kill what is left of the pods of a server that is gone, and remove their folders."""
    pods = folder / PODS
    kill_marked([log.stem for log in pods.glob("*/*.log") if _KEY.fullmatch(log.stem)])
    shutil.rmtree(pods, ignore_errors=True)
