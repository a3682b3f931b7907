"""``airflow-armada cancel``."""

from __future__ import annotations

from argparse import Namespace

from airflow_armada.cli.output import OK, Output, UsageError
from airflow_armada.cli.remote import client_of, job_sets


def cancel(arguments: Namespace, output: Output) -> int:
    """Cancel jobs, or all jobs of a job set."""
    if bool(arguments.jobs) == bool(arguments.job_set):
        raise UsageError("name jobs, or a job set by --job-set and its queue by --queue")
    if arguments.job_set and not arguments.queue:
        raise UsageError("--job-set needs --queue")
    with client_of(arguments) as client:
        if arguments.job_set:
            client.cancel_jobset(arguments.queue, arguments.job_set, [], reason=arguments.reason)
            text = f"cancellation of job set {arguments.job_set} asked for"
            output.both(text, {"queue": arguments.queue, "job_set": arguments.job_set, "cancelling": True})
            return OK
        for (queue, job_set), job_ids in job_sets(client, arguments.jobs).items():
            client.cancel_jobs(queue, job_set, job_ids=job_ids, reason=arguments.reason)
            for job_id in job_ids:
                text = f"{job_id}: cancellation asked for"
                output.both(text, {"job": job_id, "queue": queue, "job_set": job_set, "cancelling": True})
    return OK
