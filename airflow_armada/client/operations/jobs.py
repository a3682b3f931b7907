"""Submitting, cancelling, preempting and reprioritizing jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_armada.api import empty_pb2, health_pb2, submit_pb2
from airflow_armada.api.methods import Event, Submit
from airflow_armada.client.calls import Call
from airflow_armada.client.messages import MAX_COMMAND_IDS, adopt_all, by_bytes, by_count
from airflow_armada.client.typings import JobState

logger = logging.getLogger(__name__)

MAX_REASON_BYTES = 50
"""The server refuses longer reasons (``internal/server/submit/validation/job_set.go``)."""


def submit_health() -> Call[health_pb2.HealthCheckResponse]:
    return Call(Submit.HEALTH, (empty_pb2.Empty(),))


def event_health() -> Call[health_pb2.HealthCheckResponse]:
    return Call(Event.HEALTH, (empty_pb2.Empty(),))


def submit_jobs(
    queue: str, job_set_id: str, job_request_items: Iterable[Any], *, trust_client_ids: bool = True
) -> Call[submit_pb2.JobSubmitResponse]:
    items = adopt_all(job_request_items, submit_pb2.JobSubmitRequestItem)
    requests = (
        submit_pb2.JobSubmitRequest(queue=queue, job_set_id=job_set_id, job_request_items=part)
        for part in by_bytes(items)
    )
    # The server knows a repeated item by its client id; without one it would make a second job.
    repeatable = trust_client_ids and all(item.client_id for item in items)
    return Call(Submit.SUBMIT_JOBS, tuple(requests), _join_submitted, repeatable)


def _join_submitted(answers: Sequence[submit_pb2.JobSubmitResponse]) -> submit_pb2.JobSubmitResponse:
    return submit_pb2.JobSubmitResponse(
        job_response_items=[item for answer in answers for item in answer.job_response_items]
    )


def cancel_jobs(
    queue: str, job_set_id: str, job_id: str | None = None, *, job_ids: Iterable[str] | None = None, reason: str = ""
) -> Call[submit_pb2.CancellationResult]:
    if job_id is None and job_ids is None:
        logger.warning(
            "cancel_jobs without a job id cancels the whole job set %s of queue %s; call cancel_jobset for that",
            job_set_id,
            queue,
        )
        return _cancel_whole(queue, job_set_id, reason)
    _require(queue=queue, job_set_id=job_set_id)
    requests = (
        submit_pb2.JobCancelRequest(queue=queue, job_set_id=job_set_id, job_ids=part, reason=_checked(reason))
        for part in by_count(_ids(job_id, job_ids), MAX_COMMAND_IDS)
    )
    return Call(Submit.CANCEL_JOBS, tuple(requests), _join_cancelled)


def _join_cancelled(answers: Sequence[submit_pb2.CancellationResult]) -> submit_pb2.CancellationResult:
    return submit_pb2.CancellationResult(cancelled_ids=[one for answer in answers for one in answer.cancelled_ids])


def _cancel_whole(queue: str, job_set_id: str, reason: str) -> Call[submit_pb2.CancellationResult]:
    call = cancel_jobset(queue, job_set_id, [], reason=reason)
    return Call(call.method, call.requests, lambda answers: submit_pb2.CancellationResult())


def cancel_jobset(
    queue: str, job_set_id: str, filter_states: Iterable[Any], *, reason: str = ""
) -> Call[empty_pb2.Empty]:
    _require(queue=queue, job_set_id=job_set_id)
    request = submit_pb2.JobSetCancelRequest(
        queue=queue, job_set_id=job_set_id, filter=_job_set_filter(filter_states), reason=_checked(reason)
    )
    return Call(Submit.CANCEL_JOB_SET, (request,))


def _job_set_filter(filter_states: Iterable[Any]) -> submit_pb2.JobSetFilter:
    states = {job_state(state) for state in filter_states}
    wrong = sorted(state.name for state in states - {JobState.QUEUED, JobState.PENDING, JobState.RUNNING})
    if wrong:
        # The server would silently take each of these for QUEUED.
        raise ValueError(f"filter_states can hold QUEUED, PENDING and RUNNING, not {', '.join(wrong)}")
    if states & {JobState.PENDING, JobState.RUNNING}:
        # The server refuses one of them without the other: it only tells queued jobs from all others.
        states |= {JobState.PENDING, JobState.RUNNING}
    return submit_pb2.JobSetFilter(states=[state.name for state in sorted(states, key=lambda state: state.value)])


def preempt_jobs(
    queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
) -> Call[submit_pb2.PreemptionResult]:
    _require(queue=queue, job_set_id=job_set_id)
    requests = (
        submit_pb2.JobPreemptRequest(queue=queue, job_set_id=job_set_id, job_ids=part, reason=_checked(reason))
        for part in by_count(_ids(job_id, job_ids), MAX_COMMAND_IDS)
    )
    return Call(Submit.PREEMPT_JOBS, tuple(requests), _join_preempted)


def _join_preempted(answers: Sequence[submit_pb2.PreemptionResult]) -> submit_pb2.PreemptionResult:
    result = submit_pb2.PreemptionResult()
    for answer in answers:
        result.MergeFrom(answer)
    return result


def reprioritize_jobs(
    new_priority: float, job_ids: Sequence[str] | None, job_set_id: str, queue: str
) -> Call[submit_pb2.JobReprioritizeResponse]:
    _require(queue=queue, job_set_id=job_set_id)
    parts: Iterable[Sequence[str]] = by_count(_ids(None, job_ids), MAX_COMMAND_IDS) if job_ids else [()]
    requests = (
        submit_pb2.JobReprioritizeRequest(queue=queue, job_set_id=job_set_id, job_ids=part, new_priority=new_priority)
        for part in parts
    )
    return Call(Submit.REPRIORITIZE_JOBS, tuple(requests), _join_reprioritized)


def _join_reprioritized(answers: Sequence[submit_pb2.JobReprioritizeResponse]) -> submit_pb2.JobReprioritizeResponse:
    result = submit_pb2.JobReprioritizeResponse()
    for answer in answers:
        result.MergeFrom(answer)
    return result


def job_state(state: Any) -> JobState:
    """Return a state as ours: a member of our enum or of ``armada-client``'s, or its number."""
    return JobState(getattr(state, "value", state))


def _require(**values: str) -> None:
    for name, value in values.items():
        if not value:
            raise ValueError(f"{name} must not be empty")


def _ids(job_id: str | None, job_ids: Iterable[str] | None) -> list[str]:
    if isinstance(job_ids, str):
        raise TypeError("job_ids must be a list of ids; give a single id as job_id")
    ids = [*([] if job_id is None else [job_id]), *(job_ids or ())]
    if not ids or not all(ids):
        raise ValueError("at least one job id must be given, and none may be empty")
    return list(dict.fromkeys(ids))


def _checked(reason: str) -> str:
    if len(reason.encode()) > MAX_REASON_BYTES:
        raise ValueError(f"reason is longer than the {MAX_REASON_BYTES} bytes that the server takes: {reason!r}")
    return reason
