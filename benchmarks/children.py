"""Every measurement runs in a fresh process of its own, which prints one JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MARK = "BENCH-RESULT "

Plain = dict[str, Any]


def environment(**more: str) -> dict[str, str]:
    """Return the variables for a measuring process: this tree importable, no Airflow settings of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPATH": str(ROOT), "GRPC_VERBOSITY": "ERROR", **more}


def measure(module: str, /, *, python: str | Path = sys.executable, timeout: float = 300.0, **params: Any) -> Plain:
    """Run a measuring module in a process of its own.

    :param module: its name; it calls :func:`answer`
    :param python: the interpreter, that of another environment perhaps
    :param timeout: s, after which it is killed
    :param params: what its function gets
    :return: what its function returned
    :raises RuntimeError: when it fails
    """
    done = subprocess.run(
        [str(python), "-m", module, json.dumps(params)],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(MARK):
            result: Plain = json.loads(line.removeprefix(MARK))
            return result
    raise RuntimeError(f"{module} {params} ended with {done.returncode} and no result:\n{done.stderr[-3000:]}")


def answer(function: Callable[..., Plain]) -> None:
    """Call the function of a measuring module with what the command line holds, and print its result."""
    result = function(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))
    print(MARK + json.dumps(result), flush=True)


class Service:
    """A helper process that serves until it is stopped; its first line of output is a JSON object.

    :param arguments: what to run, after the Python interpreter
    :param python: the interpreter
    :param grace: s that it has for its end
    """

    def __init__(self, *arguments: str, python: str | Path = sys.executable, grace: float = 5.0) -> None:
        self._command = [str(python), *arguments]
        self._grace = grace
        self._process: subprocess.Popen[str] | None = None
        self.hello: Plain = {}

    def __enter__(self) -> Service:
        self._process = subprocess.Popen(
            self._command, env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.hello = self._next()
        return self

    def _next(self) -> Plain:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with {self._process.wait()} instead of an answer")
        answered: Plain = json.loads(line)
        return answered

    def ask(self, **order: Any) -> Plain:
        """Give an order as a line of JSON, and return the line of JSON that answers it."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._next()

    @property
    def target(self) -> str:
        """``host:port`` that it listens on."""
        return f"127.0.0.1:{self.hello['port']}"

    @property
    def held(self) -> str:
        """The same of the replay server's port on which streams wait for being released."""
        return f"127.0.0.1:{self.hello['held']}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: it stops when its standard input is closed, and is killed when it does not."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
