"""The embedded Armada and a real Airflow on this machine, for the demo and for ``make up``."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from airflow_armada.provider_info import get_provider_info
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.components import Component, free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "example_dags"
# Independent of the machine's, so that the example of preemption finds it as full as it expects.
SIZE = ("--cpus", "4", "--memory", "4Gi")


def say(text: str = "") -> None:
    print(text, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _no_more_signals() -> Iterator[None]:
    """Let nothing interrupt what stops the processes."""
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _start_armada(home: Path, port: int) -> Component:
    """Start the embedded Armada with the examples' queue and wait until it serves."""
    log_file = home / "processes" / "armada.log"
    log_file.unlink(missing_ok=True)
    arguments = ["-m", "airflow_armada.standalone", "--port", str(port), "--queue", "example", *SIZE]
    armada = Component("armada", arguments, os.environ, log_file)
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


def _connection(target: str) -> dict[str, object]:
    """Return the connection as the UI makes it, with every field: the form shows only those that the extra has."""
    connection: dict[str, object] = json.loads(armada_connection(target))
    (kind,) = get_provider_info()["connection-types"]
    fields = {name: field["schema"].get("default") for name, field in kind["conn-fields"].items()}
    return {**connection, "extra": {**fields, **json.loads(armada_connection(target))["extra"]}}


@contextmanager
def local_airflow(home: Path, *, port: int = 0) -> Iterator[tuple[AirflowStack, Component, str]]:
    """Start both, and stop both whatever happens; Ctrl-C and SIGTERM arrive as KeyboardInterrupt.

    :param home: Folder of this Airflow; its database is used again the next time.
    :param port: Where Airflow's UI listens; any free port without it.
    :return: Airflow, the process of the embedded Armada, and its address.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    armada_port = free_port()
    with ExitStack() as stack:
        armada = _start_armada(home, armada_port)
        stack.callback(armada.stop, 10.0)
        say(f"The embedded Armada serves on 127.0.0.1:{armada_port}.")
        airflow = AirflowStack(home, [EXAMPLES], "", port=port)
        stack.callback(airflow.stop)
        stack.enter_context(_no_more_signals())
        say("Airflow is starting (API server, scheduler, DAG processor, triggerer); this takes about 20 s ...")
        airflow.start()
        airflow.api.set_connection("armada_default", _connection(f"127.0.0.1:{armada_port}"))
        say(f"Airflow is ready after {time.monotonic() - started:.0f} s; its own output is in {home.name}/processes.")
        yield airflow, armada, f"127.0.0.1:{armada_port}"
