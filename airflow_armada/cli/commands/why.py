"""``airflow-armada why``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any, TypeVar

from airflow_armada.api import job_pb2
from airflow_armada.cli.output import OK, Output
from airflow_armada.cli.remote import job_details, site_of
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import ArmadaRpcError
from airflow_armada.client.foreign_text import printable
from airflow_armada.client.typings import JobState
from airflow_armada.follow.state.queue_reason import queue_reason
from airflow_armada.follow.state.reasons import readable

T = TypeVar("T")

_WAITING = {JobState.QUEUED, JobState.SUBMITTED}


def why(arguments: Namespace, output: Output) -> int:
    """Explain the state of a job."""
    with site_of(arguments) as (settings, client):
        details = job_details(client, [arguments.job], spec=True)[arguments.job]
        state = _state(details.state)
        explanation, source = _explanation(client, details, state)
    value = {
        "job": details.job_id,
        "queue": details.queue,
        "job_set": details.jobset,
        "state": state.name,
        "since": _time(details, "last_transition_ts"),
        "runs": [_run(run) for run in details.job_runs],
        "source": source,
        "explanation": explanation,
        "url": settings.job_url(details.job_id),
    }
    _print(value, output)
    output.value(value)
    return OK


def _explanation(client: ArmadaClient, details: job_pb2.JobDetails, state: JobState) -> tuple[str, str]:
    """What the best source for this state says, and which that is."""
    if state is JobState.CANCELLED:
        by = f"cancelled by {details.cancel_user}" if details.cancel_user else "cancelled"
        return f"{by}: {details.cancel_reason}" if details.cancel_reason else by, "query API"
    if state in _WAITING:
        return _waits(client, details), "queue and scheduler"
    if state.is_terminal() and state is not JobState.SUCCEEDED:
        return readable(client.get_job_errors([details.job_id]).job_errors.get(details.job_id, "")), "query API"
    return "", ""


def _waits(client: ArmadaClient, details: job_pb2.JobDetails) -> str:
    unanswered: list[str] = []

    def ask(what: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except ArmadaRpcError as error:
            unanswered.append(f"{what} cannot be asked: {error.details() or error.code().name}")
            return otherwise

    reason = queue_reason(
        details.job_id,
        details.queue,
        cordoned=ask("the queue", lambda: client.get_queue(details.queue).cordoned, False),
        job_report=ask("the scheduler", lambda: client.get_job_report(details.job_id), ""),
        queue_report=ask("the scheduler", lambda: client.get_queue_report(details.queue), ""),
        annotations=dict(details.job_spec.annotations),
    )
    return "\n".join([*([reason] if reason else []), *dict.fromkeys(unanswered)])


def _print(value: dict[str, Any], output: Output) -> None:
    output.line(f"job {value['job']} of job set {printable(value['job_set'])} in queue {printable(value['queue'])}")
    output.line(f"{value['state']} since {value['since'] or 'an unknown time'}")
    for run in value["runs"]:
        places = ", ".join(f"{name} {printable(run[name])}" for name in ("cluster", "node") if run[name])
        output.line(f"  run {run['run']}: {run['state'].lower()}{f' on {places}' if places else ''}")
    for line in value["explanation"].splitlines():
        output.line(f"  {printable(line)}")
    if not value["explanation"] and value["source"]:
        output.line("  nothing is known about the reason")
    if value["url"]:
        output.line(value["url"])


def _run(run: job_pb2.JobRunDetails) -> dict[str, str]:
    state = job_pb2.JobRunState.Name(run.state) if run.state in job_pb2.JobRunState.values() else str(run.state)
    return {
        "run": run.run_id,
        "state": state.removeprefix("RUN_STATE_").removeprefix("RUNS_STATE_"),
        "cluster": run.cluster,
        "node": run.node,
        "started": _time(run, "started_ts"),
        "finished": _time(run, "finished_ts"),
    }


def _state(number: int) -> JobState:
    try:
        return JobState(number)
    except ValueError:
        return JobState.UNKNOWN


def _time(message: Any, field: str) -> str:
    return str(getattr(message, field).ToJsonString()) if message.HasField(field) else ""
