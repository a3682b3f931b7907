"""``airflow-armada cancel``."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict

from airflow_armada.cli.output import OK, Output
from airflow_armada.cli.remote import client_of, job_details


def cancel(arguments: Namespace, output: Output) -> int:
    """Cancel jobs; a cancel names queue and job set, too, and the server ignores those that do not match."""
    with client_of(arguments) as client:
        sets: dict[tuple[str, str], list[str]] = defaultdict(list)
        for job_id, details in job_details(client, arguments.jobs).items():
            sets[details.queue, details.jobset].append(job_id)
        for (queue, job_set), job_ids in sets.items():
            client.cancel_jobs(queue, job_set, job_ids=job_ids, reason=arguments.reason)
            for job_id in job_ids:
                text = f"{job_id}: cancellation asked for"
                output.both(text, {"job": job_id, "queue": queue, "job_set": job_set, "cancelling": True})
    return OK
