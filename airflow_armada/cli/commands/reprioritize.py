"""``airflow-armada reprioritize``."""

from __future__ import annotations

from argparse import Namespace

from airflow_armada.cli.output import BAD, OK, Output
from airflow_armada.cli.remote import client_of, job_sets


def reprioritize(arguments: Namespace, output: Output) -> int:
    """Give jobs another priority within their queue."""
    refused = False
    with client_of(arguments) as client:
        for (queue, job_set), job_ids in job_sets(client, arguments.jobs).items():
            results = client.reprioritize_jobs(arguments.priority, job_ids, job_set, queue).reprioritization_results
            for job_id in job_ids:
                error = results.get(job_id, "")
                refused = refused or bool(error)
                text = f"{job_id}: {error or f'priority {arguments.priority:g}'}"
                output.both(text, {"job": job_id, "priority": arguments.priority, "error": error})
    return BAD if refused else OK
