"""``airflow-armada jobs``."""

from __future__ import annotations

import time
from argparse import Namespace

from airflow_armada.cli.job_states import JobStates, JobView
from airflow_armada.cli.output import OK, Output, age
from airflow_armada.cli.remote import events_so_far
from airflow_armada.client.event import Event
from airflow_armada.client.timestamps import moment


def jobs(arguments: Namespace, output: Output) -> int:
    """List the jobs of a job set, as its events tell of them."""
    states = JobStates()
    for message in events_so_far(arguments, arguments.queue, arguments.job_set):
        states.take(Event(message))
    shown = [view for view in states.views() if not arguments.state or view.word in arguments.state]
    output.table(("JOB", "TASK", "STATE", "AGE", "CLUSTER", "REASON"), [_row(view) for view in shown])
    for view in shown:
        output.value(view.to_dict())
    return OK


def _row(view: JobView) -> tuple[str, ...]:
    return view.job_id, view.task, view.word, _age(view.progress.at), view.progress.cluster, view.reason


def _age(at: str) -> str:
    since = moment(at)
    return age(time.time() - since.timestamp()) if since else ""
