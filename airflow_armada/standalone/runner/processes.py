"""The server's side of the supervisor: start a process, await its end, signal it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_armada.standalone.runner.supervisor import kill_marked

SUPERVISOR = Path(__file__).with_name("supervisor.py")


class SupervisorLost(Exception):
    """The supervisor is gone, and with it every process that it had started."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    :param code: its exit code, or the negative number of the signal that ended it
    :param out_of_memory: whether it was killed for using more memory than it may
    """

    code: int
    out_of_memory: bool


@dataclass
class Process:
    """A process that has been asked for.

    :param usage: resident bytes and CPU seconds when last seen
    """

    key: str
    started: asyncio.Future[int]
    ended: asyncio.Future[Ended]
    usage: tuple[int, float] = field(default=(0, 0.0))


class Processes:
    """All processes of the server, started through one supervisor.

    :param temporary: a folder that the supervisor removes when it ends
    """

    def __init__(self, temporary: Path | None = None) -> None:
        self._temporary = temporary
        self._starting = asyncio.Lock()
        self._known: dict[str, Process] = {}
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._requests: asyncio.WriteTransport | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the supervisor, unless it runs."""
        async with self._starting:
            if self._supervisor is None:
                await self._start_supervisor()

    async def _start_supervisor(self) -> None:
        command = [sys.executable, "-I", "-S", str(SUPERVISOR)]
        command += [str(self._temporary)] if self._temporary else []
        supervisor = subprocess.Popen(  # noqa: ASYNC220 - once, and asyncio's needs a child watcher
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        loop = asyncio.get_running_loop()
        self._requests, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, supervisor.stdin)
        self._reader = asyncio.create_task(self._read(supervisor))
        self._supervisor = supervisor

    async def stop(self) -> None:
        """Kill every process, wait until all are gone."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None or self._requests is None or self._reader is None:
            return
        self._requests.write(b'{"do": "stop"}\n')
        self._requests.close()
        await self._reader
        await asyncio.to_thread(supervisor.wait)

    def spawn(
        self, key: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, memory: int
    ) -> Process:
        """Ask for a process.

        :param key: the process's own name, a UUID, unused so far
        :param log: a FIFO that somebody reads, for both output streams
        :param memory: bytes above which it is killed, 0 for no limit
        :return: its ``started`` ends with an ``OSError`` if the command cannot be executed
        """
        loop = asyncio.get_running_loop()
        process = self._known[key] = Process(key, loop.create_future(), loop.create_future())
        request = {
            "do": "start",
            "id": key,
            "argv": list(argv),
            "env": dict(env),
            "cwd": str(cwd),
            "log": str(log),
            "memory": memory,
        }
        self._send(request)
        return process

    def signal(self, process: Process, number: int) -> None:
        """Send a signal to a process and to all others of its group."""
        if not process.ended.done():
            self._send({"do": "signal", "id": process.key, "signal": number})

    def _send(self, request: dict[str, Any]) -> None:
        if self._supervisor is None or self._requests is None:
            self._lost()
        else:
            self._requests.write(json.dumps(request).encode() + b"\n")

    async def _read(self, supervisor: subprocess.Popen[bytes]) -> None:
        stream = asyncio.StreamReader(limit=1 << 20)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), supervisor.stdout)
        try:
            while line := await stream.readline():
                self._take(json.loads(line))
        finally:
            transport.close()
            self._lost()
            if self._supervisor is supervisor:
                self._supervisor = None

    def _take(self, answer: dict[str, Any]) -> None:
        for key, (resident, seconds) in answer.get("usage", {}).items():
            if process := self._known.get(key):
                process.usage = (resident, seconds)
        process = self._known.get(answer.get("id", ""))
        if process is None:
            return
        if "pid" in answer:
            _resolve(process.started, answer["pid"])
        elif "error" in answer:
            del self._known[process.key]
            _fail(process, OSError(answer["errno"], answer["error"]))
        else:
            del self._known[process.key]
            _resolve(process.ended, Ended(answer["exit"], answer["oom"]))

    def _lost(self) -> None:
        known, self._known = self._known, {}
        if known:
            kill_marked(known)
        for process in known.values():
            _fail(process, SupervisorLost("the process that supervises the jobs is gone"))


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(process: Process, error: Exception) -> None:
    for future in (process.started, process.ended):
        if not future.done():
            future.set_exception(error)
            future.exception()  # marks it as seen: not everybody waits for both


class LogPipe:
    """A FIFO that a process writes its output to.

    :param path: where it is; it exists while this object is open
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o600)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def close(self) -> None:
        """Close and remove it."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
        with contextlib.suppress(OSError):
            self.path.unlink()
