"""``airflow-armada preempt``."""

from __future__ import annotations

from argparse import Namespace

from airflow_armada.cli.output import OK, Output
from airflow_armada.cli.remote import client_of, job_sets


def preempt(arguments: Namespace, output: Output) -> int:
    """Ask Armada to preempt jobs, which it does if their priority class allows it."""
    with client_of(arguments) as client:
        for (queue, job_set), job_ids in job_sets(client, arguments.jobs).items():
            client.preempt_jobs(queue, job_set, None, job_ids=job_ids, reason=arguments.reason)
            for job_id in job_ids:
                text = f"{job_id}: preemption asked for"
                output.both(text, {"job": job_id, "queue": queue, "job_set": job_set, "preempting": True})
    return OK
