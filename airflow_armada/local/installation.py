"""The embedded Armada and an Airflow that knows it, together."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import airflow_armada
from airflow_armada.local.airflow import LocalAirflow
from airflow_armada.local.job_page import JobPages
from airflow_armada.local.processes import Process, free_port, wait_until
from airflow_armada.provider_info import get_provider_info

CONNECTION = "armada_default"
QUEUE = "example"
# Independent of the machine's, so that the example of preemption finds it as full as it expects.
_SIZE = ("--cpus", "4", "--memory", "4Gi")


@dataclass(frozen=True)
class Installation:
    """
    What runs.

    :param airflow: Airflow.
    :param armada: the process of the embedded Armada.
    :param target: ``host:port`` of its API.
    :param pages: shows its jobs in a browser.
    """

    airflow: LocalAirflow
    armada: Process
    target: str
    pages: JobPages

    def ended(self) -> Process | None:
        """Return a process that has ended by itself; None while all of them run."""
        return next((one for one in (self.armada, *self.airflow.components.values()) if not one.running), None)


def examples() -> Path:
    """
    Find the example DAGs: in the installed package, or beside it in a checkout.

    :return: their folder.
    :raises RuntimeError: when they are nowhere.
    """
    package = Path(airflow_armada.__file__).resolve().parent
    for folder in (package / "example_dags", package.parent / "example_dags"):
        if (folder / "hello.py").exists():
            return folder
    raise RuntimeError("the example DAGs are missing: install airflow-armada from its wheel, or use a checkout")


@contextmanager
def installation(
    home: Path, say: Callable[[str], None], *, dags: Sequence[Path] = (), port: int = 0
) -> Iterator[Installation]:
    """
    Start all of it, and stop all of it whatever happens; Ctrl-C and SIGTERM arrive as KeyboardInterrupt.

    :param home: folder of this Airflow; its database is used again the next time.
    :param say: tells people what happens.
    :param dags: folders with DAG files, besides the examples.
    :param port: where Airflow's UI shall listen; any free port without it, or where somebody else has it.
    :return: a context manager that gives what runs.
    """
    folders = [examples(), *dags]
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    started = time.monotonic()
    armada_port = free_port()
    target = f"127.0.0.1:{armada_port}"
    with ExitStack() as stack:
        stack.callback(_restore, before)
        armada = _start_armada(home, armada_port)
        stack.callback(armada.stop, 10.0)
        say(f"The embedded Armada serves on {target}.")
        pages = stack.enter_context(JobPages(target))
        airflow = LocalAirflow(home, folders, port=free_port(port))
        stack.callback(airflow.stop)
        stack.enter_context(_no_more_signals())
        say("Airflow is starting (API server, scheduler, DAG processor, triggerer); this takes about 20 s ...")
        airflow.start()
        airflow.api.set_connection(CONNECTION, _connection(armada_port, pages.url))
        say(f"Airflow is ready after {time.monotonic() - started:.0f} s; its own output is in {airflow.log_folder}.")
        yield Installation(airflow, armada, target, pages)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def _no_more_signals() -> Iterator[None]:
    """Let nothing interrupt what stops the processes."""
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _start_armada(home: Path, port: int) -> Process:
    """Start the embedded Armada with the examples' queue and wait until it serves."""
    log_file = home / "processes" / "armada.log"
    log_file.unlink(missing_ok=True)
    arguments = ["-m", "airflow_armada.standalone", "--port", str(port), "--queue", QUEUE, *_SIZE]
    armada = Process("armada", arguments, os.environ, log_file)
    armada.start()

    def serving() -> bool:
        if not armada.running:
            raise RuntimeError(f"the embedded Armada has ended while it started:\n{armada.tail()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(serving, "the embedded Armada", 30)
    except BaseException:
        armada.stop(5)
        raise
    return armada


def _connection(port: int, lookout_url: str) -> dict[str, object]:
    """Return the connection as the UI makes it, with every field: the form shows only those that the extra has."""
    (kind,) = get_provider_info()["connection-types"]
    fields = {name: field["schema"].get("default") for name, field in kind["conn-fields"].items()}
    extra = {**fields, "tls": False, "binoculars": f"127.0.0.1:{port}", "lookout_url": lookout_url}
    return {"conn_type": "armada", "host": "127.0.0.1", "port": port, "extra": extra}
