"""``airflow-armada queues``, ``create-queue``, ``update-queue``, ``cordon`` and ``uncordon``."""

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


def create_queue(arguments: Namespace, output: Output) -> int:
    """Create a queue."""
    with client_of(arguments) as client:
        client.create_queue(client.create_queue_request(arguments.queue, arguments.priority_factor, arguments.owner))
    return _done(arguments.queue, "created", output)


def update_queue(arguments: Namespace, output: Output) -> int:
    """Change what was given of a queue; the rest stays as it is."""
    with client_of(arguments) as client:
        queue = client.get_queue(arguments.queue)
        if arguments.priority_factor is not None:
            queue.priority_factor = arguments.priority_factor
        if arguments.owner:
            queue.user_owners[:] = arguments.owner
        client.update_queue(queue)
    return _done(arguments.queue, "updated", output)


def cordon(arguments: Namespace, output: Output) -> int:
    """Let a queue start no more jobs."""
    with client_of(arguments) as client:
        client.cordon_queue(arguments.queue)
    return _done(arguments.queue, "cordoned", output)


def uncordon(arguments: Namespace, output: Output) -> int:
    """Let a queue start jobs again."""
    with client_of(arguments) as client:
        client.uncordon_queue(arguments.queue)
    return _done(arguments.queue, "uncordoned", output)


def _done(queue: str, what: str, output: Output) -> int:
    output.both(f"queue {queue} {what}", {"queue": queue, "done": what})
    return OK
