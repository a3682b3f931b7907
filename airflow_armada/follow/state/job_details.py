"""What the query API says of a job, told as the events that would have led there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_armada.api import event_pb2, submit_pb2
from airflow_armada.client.timestamps import rfc3339
from airflow_armada.follow.state import progress
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import JobProgress

_PHASES = {
    submit_pb2.SUBMITTED: progress.SUBMITTED,
    submit_pb2.QUEUED: progress.QUEUED,
    submit_pb2.LEASED: progress.LEASED,
    submit_pb2.PENDING: progress.PENDING,
    submit_pb2.RUNNING: progress.RUNNING,
}
_ENDS = frozenset(
    {submit_pb2.SUCCEEDED, submit_pb2.FAILED, submit_pb2.CANCELLED, submit_pb2.PREEMPTED, submit_pb2.REJECTED}
)
_FAILURES = frozenset({submit_pb2.FAILED, submit_pb2.PREEMPTED, submit_pb2.REJECTED})


def known(details: Any) -> bool:
    """Whether the query API really knows the job: what it cannot map, it calls UNKNOWN."""
    return details is not None and (details.state in _PHASES or details.state in _ENDS)


def container_names(details: Any) -> list[str]:
    """Return the names of a job's containers; none where its spec was not asked for, or is not told."""
    spec = details.job_spec.pod_specs[0] if details.job_spec.pod_specs else details.job_spec.pod_spec
    return [container.name for container in spec.containers]


def is_failure(details: Any) -> bool:
    """Whether the job has ended in a way of which the event says more than the query API."""
    return details.state in _FAILURES


def is_news(state: JobProgress, details: Any) -> bool:
    """Whether a snapshot is ahead of the events. Mostly it lags behind them, and then it says nothing.

    :param state: what the events told
    :param details: ``api.JobDetails``
    """
    if state.end:
        return False
    if details.state in _ENDS:
        return True
    later = rfc3339(details.last_transition_ts) >= state.at
    return later and _PHASES.get(details.state, progress.UNKNOWN) > state.phase


def as_events(details: Any, error: str = "") -> Iterator[tuple[str, Any]]:
    """Give the events that lead to the state in a snapshot, as (kind, body).

    :param details: ``api.JobDetails`` with its runs
    :param error: the text of GetJobErrors, for a job that failed
    """
    yield "queued", event_pb2.JobQueuedEvent(created=details.submitted_ts)
    run = latest_run(details)
    if run is not None:
        yield from _run_events(run)
    if details.state in _ENDS:
        yield from _end_events(details, run, error)


_OF_THE_RUN = (
    "cluster",
    "pool",
    "node",
    "pod",
    "run_id",
    "submitted_at",
    "leased_at",
    "pending_at",
    "running_at",
    "addresses",
    "ran",
)


def updated(state: JobProgress, details: Any, error: str = "") -> JobProgress:
    """Return the state of a job with what a snapshot adds to it.

    :param state: what is known so far
    :param details: ``api.JobDetails``
    :param error: the text of GetJobErrors, for a job that failed
    """
    if is_news(state, details):
        for kind, body in as_events(details, error):
            state = fold(state, kind, body)
        return state if state.run_id else state._replace(run_id=details.latest_run_id)
    return _with_run(state, details) if state.end and not state.cluster else state


def _with_run(state: JobProgress, details: Any) -> JobProgress:
    """Complete the state of a job of whose run the events told nothing but the end."""
    told = progress.NEW
    for kind, body in as_events(details):
        told = fold(told, kind, body)
    missing = {name: getattr(told, name) for name in _OF_THE_RUN if not getattr(state, name)}
    return state._replace(**missing)


def latest_run(details: Any) -> Any:
    """Return the latest of a job's runs, or None."""
    for run in details.job_runs:
        if run.run_id == details.latest_run_id:
            return run
    return details.job_runs[0] if details.job_runs else None


def _run_events(run: Any) -> Iterator[tuple[str, Any]]:
    if run.HasField("leased_ts"):
        yield "leased", event_pb2.JobLeasedEvent(created=run.leased_ts, cluster_id=run.cluster)
    if run.HasField("pending_ts"):
        yield "pending", event_pb2.JobPendingEvent(created=run.pending_ts, cluster_id=run.cluster)
    if run.HasField("started_ts"):
        yield "running", event_pb2.JobRunningEvent(created=run.started_ts, cluster_id=run.cluster, node_name=run.node)
    if run.ingress_addresses:
        known = {"created": run.started_ts, "cluster_id": run.cluster, "ingress_addresses": run.ingress_addresses}
        yield "ingress_info", event_pb2.JobIngressInfoEvent(**known)


def _end_events(details: Any, run: Any, error: str) -> Iterator[tuple[str, Any]]:
    finished = run is not None and run.HasField("finished_ts")
    at = run.finished_ts if finished else details.last_transition_ts
    if details.state == submit_pb2.SUCCEEDED:
        yield "succeeded", event_pb2.JobSucceededEvent(created=at)
    elif details.state == submit_pb2.CANCELLED:
        created = details.cancel_ts if details.HasField("cancel_ts") else at
        yield (
            "cancelled",
            event_pb2.JobCancelledEvent(created=created, requestor=details.cancel_user, reason=details.cancel_reason),
        )
    else:
        if details.state == submit_pb2.PREEMPTED:
            yield "preempted", event_pb2.JobPreemptedEvent(created=at, reason=error, run_id=details.latest_run_id)
        cause = event_pb2.Rejected if details.state == submit_pb2.REJECTED else event_pb2.Error
        yield "failed", event_pb2.JobFailedEvent(created=at, reason=error, cause=cause)
