"""``airflow-armada up``."""

from __future__ import annotations

import shutil
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_armada.cli.local import trying
from airflow_armada.cli.output import FAILED, OK, Output

if TYPE_CHECKING:
    from airflow_armada.local.installation import Installation

_NAME = "airflow-armada"
_UI_PORT = 8080
_GUIDE = """
  1. Open   {url}/dags/armada_hello   and press Trigger.
  2. Click the run, its task, then Logs: the job's own output appears while it runs.
  3. Its tab Details has a link Lookout: a page about the job itself, with its state, its runs and its log.
  4. Admin > Connections, {url}/connections   shows armada_default; its Test button tries the way to Armada.

  The same Armada from another terminal, without Airflow:
    export ARMADA_URL='grpc://{target}?binoculars={target}&lookout_url={pages}'
    {command} queues
    J=$({command} submit --again {examples}/jobs/armadactl.yaml); {command} logs -f $J

Ctrl-C stops everything.
"""


def up(arguments: Namespace, output: Output) -> int:
    """Run Airflow with its UI, the examples and the embedded Armada until Ctrl-C."""
    try:
        with trying(arguments, "up", output, port=_UI_PORT) as running:
            running.airflow.api.wait_for_dags(["armada_hello"])
            output.line(guide(running))
            return _watch(running, output)
    except KeyboardInterrupt:
        output.line("\nEverything is stopped.")
        return OK


def guide(running: Installation) -> str:
    """
    Say where to click, and how to reach the same Armada from a terminal.

    :param running: what runs.
    :return: a screenful.
    """
    from airflow_armada.local.installation import examples

    return _GUIDE.format(
        url=running.airflow.api.base_url,
        target=running.target,
        pages=running.pages.url,
        examples=_short(examples()),
        command=_NAME if shutil.which(_NAME) else _short(Path(sys.executable).with_name(_NAME)),
    )


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _watch(running: Installation, output: Output) -> int:
    """Wait for ever, or until one of the processes ends by itself; that is a failure."""
    while (ended := running.ended()) is None:
        time.sleep(1)
    output.note(f"{ended.name} has ended unexpectedly; the end of {ended.log_file}:")
    for line in ended.tail().splitlines():
        output.note(line)
    return FAILED
