"""The process that starts the jobs' processes and outlives none of them.

The server runs this file as a program of its own, with an interpreter that imports next to nothing, and talks to it in
lines of JSON. It has one thread, so it can fork; and when the server is gone, also by SIGKILL, its standard input ends
and it kills everything that it started. A job costs one fork here, not the start of an interpreter.

Requests: ``{"do": "start", "id", "argv", "env", "cwd", "log", "memory"}``, ``{"do": "signal", "id", "signal"}``,
``{"do": "stop"}``.
Answers: ``{"id", "pid"}``, ``{"id", "error", "errno"}``, ``{"id", "exit", "oom"}``,
``{"usage": {id: [bytes, cpu seconds]}}``. An exit is negative for the number of the signal that ended the process,
as in ``subprocess``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any, NoReturn

SAMPLE_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


class Process:
    """A started process, the leader of its session.

    :param memory: bytes above which it is killed, 0 for no limit
    """

    def __init__(self, key: str, pid: int, memory: int) -> None:
        self.key = key
        self.pid = pid
        self.memory = memory
        self.oom = False


class Supervisor:
    """Starts, signals and reaps processes on request until the requests end."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Process] = {}
        self._by_key: dict[str, Process] = {}
        self._input = bytearray()
        self._sampled = time.monotonic()
        self._server = os.getppid()
        self._wakeup = os.pipe()
        for end in self._wakeup:
            os.set_blocking(end, False)

    def run(self) -> None:
        """Serve until asked to stop, until standard input ends or until the server is gone; then kill what is left.

        The end of standard input is not enough: a child that the server has forked may hold the other end.
        """
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        if _libc is not None:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            while self._turn():
                pass
        finally:
            self._kill_all()

    def _turn(self) -> bool:
        ready, _, _ = select.select([0, self._wakeup[0]], [], [], SAMPLE_SECONDS)
        if self._wakeup[0] in ready:
            _drain(self._wakeup[0])
        alive = 0 not in ready or self._receive()
        self._reap()
        if self._by_pid and time.monotonic() - self._sampled >= SAMPLE_SECONDS:
            self._sample()
        return alive and os.getppid() == self._server

    def _receive(self) -> bool:
        content = os.read(0, 1 << 16)
        if not content:
            return False
        self._input += content
        *lines, rest = self._input.split(b"\n")
        self._input = bytearray(rest)
        return all(self._obey(json.loads(line)) for line in lines)

    def _obey(self, request: dict[str, Any]) -> bool:
        if request["do"] == "stop":
            return False
        if request["do"] == "start":
            self._start(request)
        elif process := self._by_key.get(request["id"]):
            _kill_group(process.pid, request["signal"])
        return True

    def _start(self, request: dict[str, Any]) -> None:
        key = request["id"]
        try:
            pid = _spawn(request)
        except OSError as error:
            _answer({"id": key, "error": os.strerror(error.errno or 0), "errno": error.errno})
            return
        self._by_pid[pid] = self._by_key[key] = Process(key, pid, request["memory"])
        _answer({"id": key, "pid": pid})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if process := self._by_pid.pop(pid, None):
                self._ended(process, os.waitstatus_to_exitcode(status))

    def _ended(self, process: Process, code: int) -> None:
        del self._by_key[process.key]
        _kill_group(process.pid, signal.SIGKILL)
        for stray in set(_children(os.getpid())) - set(self._by_pid):
            if _mark_of(stray) == _mark(process.key):
                _kill_tree(stray)
        _answer({"id": process.key, "exit": code, "oom": process.oom})

    def _sample(self) -> None:
        self._sampled = time.monotonic()
        usage = _usage_by_session(set(self._by_pid))
        for pid, (resident, _) in usage.items():
            process = self._by_pid[pid]
            if process.memory and resident > process.memory:
                process.oom = True
                _kill_group(pid, signal.SIGKILL)
        _answer({"usage": {self._by_pid[pid].key: spent for pid, spent in usage.items()}})

    def _kill_all(self) -> None:
        for pid in self._by_pid:
            _kill_group(pid, signal.SIGKILL)
        while strays := _children(os.getpid()) or list(self._by_pid):
            for pid in strays:
                _kill_tree(pid)
            _collect(self._by_pid)


def _spawn(request: dict[str, Any]) -> int:
    """Fork and execute a command in a session of its own.

    :raises OSError: the command, its folder or its log cannot be opened
    """
    log = os.open(request["log"], os.O_WRONLY)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(request, log, writer)
    os.close(writer)
    os.close(log)
    with os.fdopen(reader, "rb") as pipe:
        failure = pipe.read()
    if failure:
        os.waitpid(pid, 0)
        raise OSError(int(failure), os.strerror(int(failure)))
    return pid


def _become(request: dict[str, Any], log: int, writer: int) -> NoReturn:
    try:
        os.setsid()
        if _LINUX:
            hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_RTTIME, (_mark(request["id"]), hard))
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.chdir(request["cwd"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except OSError as error:
        os.write(writer, b"%d" % (error.errno or errno.EIO))
    except ValueError:
        os.write(writer, b"%d" % errno.EINVAL)
    finally:
        os._exit(127)


def _answer(message: dict[str, Any]) -> None:
    content = json.dumps(message).encode() + b"\n"
    with contextlib.suppress(BrokenPipeError):
        while content:
            content = content[os.write(1, content) :]


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _kill_tree(pid: int) -> None:
    for child in _children(pid):
        _kill_tree(child)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _mark(key: str) -> int:
    """Return the number that the processes of a container carry.

    It is the soft limit of the CPU time of real-time threads, large enough to mean nothing. A limit is inherited by
    every child, whatever becomes of its environment, its session, its parent and its open files.
    """
    return 1 << 62 | int(key.replace("-", ""), 16) & (1 << 61) - 1


def _mark_of(pid: int) -> int:
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except OSError:
        return 0


def _collect(by_pid: dict[int, Process]) -> None:
    try:
        pid, _ = os.waitpid(-1, 0)
        by_pid.pop(pid, None)
    except ChildProcessError:
        by_pid.clear()


def _usage_by_session(leaders: set[int]) -> dict[int, tuple[int, float]]:
    """Return the bytes of memory and the CPU seconds of each session.

    Memory that is shared, such as that of program files, does not count. Source of the fields: proc(5), ``stat`` and
    ``statm``.
    """
    usage: dict[int, tuple[int, float]] = {}
    for name in os.listdir("/proc") if _LINUX else ():
        if name.isdigit() and (fields := _stat(name)) and (session := int(fields[3])) in leaders:
            resident, seconds = usage.get(session, (0, 0.0))
            spent = sum(int(ticks) for ticks in fields[11:15]) / _TICKS
            usage[session] = resident + _private_memory(name), seconds + spent
    return usage


def _stat(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _private_memory(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE


def kill_marked(keys: Iterable[str]) -> None:
    """Kill every process that was started under one of some keys, wherever it is by now."""
    wanted = set(map(_mark, keys))
    for name in os.listdir("/proc") if _LINUX and wanted else ():
        if name.isdigit() and _mark_of(int(name)) in wanted:
            _kill_tree(int(name))


def main() -> None:
    """Run as the supervisor; an argument names a folder to remove at the end."""
    try:
        Supervisor().run()
    finally:
        for folder in sys.argv[1:]:
            _remove(folder)


def _remove(folder: str) -> None:
    import shutil  # only now: it costs more than all other imports

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
