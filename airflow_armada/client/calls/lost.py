"""What became of a submission whose answer was lost: steps for the drivers, as those of any call."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_armada.api import job_pb2, submit_pb2
from airflow_armada.api.methods import Submit
from airflow_armada.client.calls.call import NAMES_JOBS, Call, CallPolicy, Clock, Conversation, Pause, conversation
from airflow_armada.client.calls.queries import get_job_details_call, get_job_status_by_external_job_uri_call
from airflow_armada.client.errors import ArmadaError, ArmadaRpcError
from airflow_armada.client.typings import JobState

logger = logging.getLogger(__name__)

Item = submit_pb2.JobSubmitRequestItem


def find_submitted(
    request: submit_pb2.JobSubmitRequest, error: ArmadaRpcError, policy: CallPolicy, clock: Clock
) -> Conversation[submit_pb2.JobSubmitResponse]:
    """Look for the jobs of a submission whose answer was lost, for as long as the query service may lag.

    Sending it again would not do: the server stores a client id only after it has published the job, and not at all if
    our deadline passes in between, so each repetition may make another copy. What has the external job URI and the
    client id of an item is its job. Where an earlier submission has left several, the oldest that nobody has cancelled
    is kept, as everybody does who looks for them, and the others are cancelled.

    :param request: the request
    :param error: how it failed
    :param policy: how long to look
    :param clock: gives the time in s
    :return: what the server would have answered
    :raises ArmadaRpcError: the error, when not all jobs are found, or items cannot be told apart
    """
    items = list(request.job_request_items)
    named = all(item.client_id and item.external_job_uri for item in items)
    if not named or len({item.client_id for item in items}) < len(items):
        raise error
    patience, give_up, rounds = policy.patience(), clock() + policy.total, 0
    found: dict[str, str] = {}
    while True:
        try:
            missing = [item for item in items if item.client_id not in found]
            found.update((yield from _look(request, missing, policy, clock)))
        except ArmadaError as trouble:
            if not trouble.transient:
                raise error from trouble
        if len(found) == len(items):
            answers = [submit_pb2.JobSubmitResponseItem(job_id=found[item.client_id]) for item in items]
            return submit_pb2.JobSubmitResponse(job_response_items=answers)
        if clock() >= give_up:
            raise error
        yield Pause(patience.pause(rounds))
        rounds += 1


def _look(
    request: submit_pb2.JobSubmitRequest, items: Sequence[Item], policy: CallPolicy, clock: Clock
) -> Conversation[dict[str, str]]:
    """Return the job of each client id that has one."""
    found = {}
    for item in items:
        by_uri = get_job_status_by_external_job_uri_call(request.queue, request.job_set_id, item.external_job_uri)
        states = (yield from conversation(by_uri, policy, clock)).job_states
        if not states:
            continue
        details = yield from conversation(get_job_details_call(states, expand_job_spec=True), policy, clock)
        copies = {job_id: JobState(states[job_id]) for job_id in _of(item, details)}
        if copies:
            found[item.client_id], surplus = one_to_keep(copies)
            yield from _cancel(request, surplus, policy, clock)
    return found


def one_to_keep(jobs: Mapping[str, JobState]) -> tuple[str, list[str]]:
    """Choose among several jobs of one submission, as everybody does who looks for them.

    :param jobs: their states by their ids
    :return: the oldest that nobody has cancelled, and those of the others that have not ended
    """
    kept, *others = sorted(jobs, key=lambda job_id: (jobs[job_id] is JobState.CANCELLED, job_id))
    return kept, [job_id for job_id in others if not jobs[job_id].is_terminal()]


def _of(item: Item, details: job_pb2.JobDetailsResponse) -> Iterator[str]:
    for job_id, job in details.job_details.items():
        if job.job_spec.client_id == item.client_id:
            yield job_id


def _cancel(
    request: submit_pb2.JobSubmitRequest, job_ids: Sequence[str], policy: CallPolicy, clock: Clock
) -> Conversation[Any]:
    if not job_ids:
        return
    logger.warning("Armada has more than one job of one submission; cancelling %s", ", ".join(job_ids))
    cancel = submit_pb2.JobCancelRequest(
        queue=request.queue, job_set_id=request.job_set_id, job_ids=job_ids, reason="copy of another job"
    )
    try:
        yield from conversation(Call(Submit.CANCEL_JOBS, (cancel,), repeatable=NAMES_JOBS, command=True), policy, clock)
    except ArmadaError as error:
        logger.error("Cannot cancel %s: %s", ", ".join(job_ids), error)
