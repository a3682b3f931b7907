"""Processes that end with the one that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]

STACK_MARK = "AIRFLOW_STACK_MARK"
"""The environment variable by which all processes of one Airflow are known."""


def free_port(wanted: int = 0) -> int:
    """
    Find a loopback port that nobody listens on at this moment.

    :param wanted: taken if it is free; 0 for any.
    :return: the port.
    """
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise RuntimeError("this machine has no free port")


def wait_until(condition: Callable[[], object], what: str, deadline: float = 60.0, every: float = 0.1) -> None:
    """
    Poll until the condition holds.

    :param condition: called again and again; anything true ends the waiting.
    :param what: what is waited for, for the message.
    :param deadline: seconds until it counts as failed.
    :param every: seconds between two looks.
    :raises TimeoutError: when the deadline has passed.
    """
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline:.0f} s for {what}")
        time.sleep(every)


class Process:
    """
    A Python process in a session of its own, its output in a file.

    :param name: how it is called in messages and in the name of its log file.
    :param arguments: what to run, without the interpreter: a script or ``-m module`` and its arguments.
    :param environment: the whole environment of the process.
    :param log_file: where its output goes; appended to.
    """

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log_file: Path) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.environment = dict(environment)
        self.log_file = log_file
        self.sessions: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; it is ended with SIGTERM if this one dies (Linux)."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._process = self._spawn(output)
        self.sessions.append(self._process.pid)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        launcher = Path(__file__).with_name("launch.py")
        return subprocess.Popen(
            [sys.executable, str(launcher), str(os.getpid()), *self.arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, not to its children."""
        os.kill(self.pid, number)

    def family(self) -> list[psutil.Process]:
        """Return the process and all that descend from it."""
        try:
            leader = psutil.Process(self.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill9(self, *, children: bool = True) -> None:
        """Kill the process without a word, and its children too unless told otherwise."""
        for process in self.family() if children else self.family()[:1]:
            process.send_signal(signal.SIGKILL)
        self.wait(10)

    def stop(self, grace: float = 20.0) -> None:
        """Ask the process to end; kill what is left of it after ``grace`` seconds."""
        if not self.running:
            return
        self.signal(signal.SIGTERM)
        try:
            self.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill9()

    def wait(self, timeout: float) -> int:
        """Wait for the end of the process and return its exit code."""
        assert self._process is not None
        return self._process.wait(timeout)

    def tail(self, lines: int = 30) -> str:
        """Return the end of the process's output."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


def kill_sessions(sessions: Collection[int], mark: str) -> None:
    """
    Kill every process of these sessions, and every one that carries the mark in its environment.

    Neither sign is enough: a child may open a session of its own, and a changed title overwrites the environment.
    """
    while True:
        found = [process for process in psutil.process_iter() if _belongs(process, sessions, mark)]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if not found:
            return
        psutil.wait_procs(found, timeout=5)


def _belongs(process: psutil.Process, sessions: Collection[int], mark: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.getsid(process.pid) in sessions or process.environ().get(STACK_MARK) == mark
    except (psutil.Error, OSError):
        return False
