"""Processes of the stack under test: started, stopped, killed and frozen one by one, and never left behind."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import tempfile
from pathlib import Path
from typing import IO

from airflow_armada.local.processes import Process, wait_until

__all__ = ["Component", "free_port", "wait_until"]

_reserved: list[IO[bytes]] = []


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that nobody else who asks so is given while we live.

    It lies below the ports that Linux gives to outgoing connections, and is marked as taken by a lock on a file:
    whoever shall listen on it may start many seconds later, beside another stack of the same machine.
    """
    folder = Path(tempfile.gettempdir()) / f"test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.SystemRandom().sample(range(15_000, 32_000), 1_000):
        mark = (folder / str(port)).open("wb")
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        _reserved.append(mark)
        return port
    raise RuntimeError("None of 1,000 ports of this machine is free.")


class Component(Process):
    """One process of the stack."""

    def pause(self) -> None:
        """Freeze the process and its children, as a machine does that stalls."""
        for process in self.family():
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        for process in self.family():
            process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()
