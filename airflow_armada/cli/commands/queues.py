"""``airflow-armada queues``."""

from __future__ import annotations

from argparse import Namespace

from airflow_armada.cli.output import OK, Output
from airflow_armada.cli.remote import client_of


def queues(arguments: Namespace, output: Output) -> int:
    """List the queues."""
    with client_of(arguments) as client:
        found = client.get_queues()
    output.table(
        ("QUEUE", "PRIORITY FACTOR", "CORDONED"),
        [(queue.name, f"{queue.priority_factor:g}", "yes" if queue.cordoned else "no") for queue in found],
    )
    output.value(
        [{"name": queue.name, "priority_factor": queue.priority_factor, "cordoned": queue.cordoned} for queue in found]
    )
    return OK
