"""``make up``: Airflow with its UI, the examples and the embedded Armada, until Ctrl-C."""

from __future__ import annotations

import socket
import sys
import time

from scripts.local import ROOT, local_airflow, say
from tests.support.airflow_stack import AirflowStack
from tests.support.components import Component

UI_PORT = 8080
GUIDE = """
  1. Open   {url}/dags/armada_hello   and press Trigger.
  2. Click the run, its task, then Logs: the job's own output appears while it runs.
  3. The connection is under Admin > Connections: {url}/connections   Its Test button tries the way to Armada.

  The same Armada from another terminal, without Airflow:
    export ARMADA_URL='grpc://{target}?binoculars={target}'
    .venv/bin/airflow-armada queues
    J=$(.venv/bin/airflow-armada submit --again example_dags/jobs/armadactl.yaml); .venv/bin/airflow-armada logs -f $J

Ctrl-C stops everything.
"""


def ui_port() -> int:
    """Return Airflow's usual port, or 0 where somebody else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", UI_PORT))
        except OSError:
            return 0
    return UI_PORT


def watch(airflow: AirflowStack, armada: Component) -> int:
    """Wait for ever, or until one of the processes ends by itself; that is a failure."""
    while True:
        for component in (armada, *airflow.components.values()):
            if not component.running:
                say(f"{component.name} has ended unexpectedly; the end of {component.log_file}:\n{component.tail()}")
                return 1
        time.sleep(1)


def main() -> int:
    with local_airflow(ROOT / ".up", port=ui_port()) as (airflow, armada, target):
        airflow.api.wait_for_dags(["armada_hello"])
        say(GUIDE.format(url=airflow.api.base_url, target=target))
        return watch(airflow, armada)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nEverything is stopped.")
    except (RuntimeError, TimeoutError, AssertionError) as error:
        sys.exit(f"make up: {error}")
