"""Submitting, cancelling, preempting and reprioritizing jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_armada.api import empty_pb2, submit_pb2
from airflow_armada.api.methods import Submit
from airflow_armada.client.calls.call import NAMES_JOBS, Call
from airflow_armada.client.calls.drivers import AsyncDriver, Driver
from airflow_armada.client.calls.lost import find_submitted
from airflow_armada.client.calls.messages import MAX_COMMAND_IDS, adopt_all, by_bytes, by_count
from airflow_armada.client.typings import JobState

logger = logging.getLogger(__name__)

MAX_REASON_BYTES = 50
"""The server refuses longer reasons (``internal/server/submit/validation/job_set.go``)."""


def submit_jobs_call(
    queue: str, job_set_id: str, job_request_items: Iterable[Any], *, find_lost: bool = True
) -> Call[submit_pb2.JobSubmitResponse]:
    items = adopt_all(job_request_items, submit_pb2.JobSubmitRequestItem)
    requests = (
        submit_pb2.JobSubmitRequest(queue=queue, job_set_id=job_set_id, job_request_items=part)
        for part in by_bytes(items)
    )
    recover = find_submitted if find_lost else None
    return Call(Submit.SUBMIT_JOBS, tuple(requests), _join_submitted, command=True, recover=recover)


def _join_submitted(answers: Sequence[submit_pb2.JobSubmitResponse]) -> submit_pb2.JobSubmitResponse:
    return submit_pb2.JobSubmitResponse(
        job_response_items=[item for answer in answers for item in answer.job_response_items]
    )


def cancel_jobs_call(
    queue: str, job_set_id: str, job_id: str | None = None, *, job_ids: Iterable[str] | None = None, reason: str = ""
) -> Call[submit_pb2.CancellationResult]:
    if job_id is None and job_ids is None:
        logger.warning(
            "cancel_jobs without a job id cancels the whole job set %s of queue %s; call cancel_jobset for that",
            job_set_id,
            queue,
        )
        return _cancel_whole(queue, job_set_id, reason)
    if job_id == "":
        raise ValueError("an empty job id cancels nothing; for a whole job set call cancel_jobset with no states")
    _require(queue=queue, job_set_id=job_set_id)
    requests = (
        submit_pb2.JobCancelRequest(queue=queue, job_set_id=job_set_id, job_ids=part, reason=_checked(reason))
        for part in by_count(_ids(job_id, job_ids), MAX_COMMAND_IDS)
    )
    return Call(Submit.CANCEL_JOBS, tuple(requests), _join_cancelled, repeatable=NAMES_JOBS, command=True)


def _join_cancelled(answers: Sequence[submit_pb2.CancellationResult]) -> submit_pb2.CancellationResult:
    return submit_pb2.CancellationResult(cancelled_ids=[one for answer in answers for one in answer.cancelled_ids])


def _cancel_whole(queue: str, job_set_id: str, reason: str) -> Call[submit_pb2.CancellationResult]:
    call = cancel_jobset_call(queue, job_set_id, [], reason=reason)
    return Call(call.method, call.requests, lambda answers: submit_pb2.CancellationResult(), command=True)


def cancel_jobset_call(
    queue: str, job_set_id: str, filter_states: Iterable[Any], *, reason: str = ""
) -> Call[empty_pb2.Empty]:
    _require(queue=queue, job_set_id=job_set_id)
    request = submit_pb2.JobSetCancelRequest(
        queue=queue, job_set_id=job_set_id, filter=_job_set_filter(filter_states), reason=_checked(reason)
    )
    # A second time it would cancel what was submitted in between.
    return Call(Submit.CANCEL_JOB_SET, (request,), command=True)


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


def preempt_jobs_call(
    queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
) -> Call[submit_pb2.PreemptionResult]:
    _require(queue=queue, job_set_id=job_set_id)
    requests = (
        submit_pb2.JobPreemptRequest(queue=queue, job_set_id=job_set_id, job_ids=part, reason=_checked(reason))
        for part in by_count(_ids(job_id, job_ids), MAX_COMMAND_IDS)
    )
    # A job that Armada's retry policies run again would be preempted a second time.
    return Call(Submit.PREEMPT_JOBS, tuple(requests), _join_preempted, command=True)


def _join_preempted(answers: Sequence[submit_pb2.PreemptionResult]) -> submit_pb2.PreemptionResult:
    result = submit_pb2.PreemptionResult()
    for answer in answers:
        result.MergeFrom(answer)
    return result


def reprioritize_jobs_call(
    new_priority: float, job_ids: Sequence[str] | None, job_set_id: str, queue: str
) -> Call[submit_pb2.JobReprioritizeResponse]:
    _require(queue=queue, job_set_id=job_set_id)
    parts: Iterable[Sequence[str]] = by_count(_ids(None, job_ids), MAX_COMMAND_IDS) if job_ids else [()]
    requests = (
        submit_pb2.JobReprioritizeRequest(queue=queue, job_set_id=job_set_id, job_ids=part, new_priority=new_priority)
        for part in parts
    )
    # Without ids a second time would change what was submitted in between.
    repeatable = NAMES_JOBS if job_ids else ""
    return Call(Submit.REPRIORITIZE_JOBS, tuple(requests), _join_reprioritized, repeatable=repeatable, command=True)


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


class JobMethods:
    """Submitting, cancelling, preempting and reprioritizing jobs."""

    _driver: Driver

    def submit_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_request_items: Iterable[submit_pb2.JobSubmitRequestItem],
        *,
        find_lost: bool = True,
    ) -> submit_pb2.JobSubmitResponse:
        """Submit jobs, in as many requests as the server's limit of 4 MiB asks for.

        A request that may have reached the server is never sent again: the server makes sure only afterwards, and not
        always, that it knows a ``client_id`` again. After a lost answer the jobs are looked for instead, where every
        item has a ``client_id`` of its own and an ``external_job_uri``; if they are not found within the
        ``retry_timeout``, they may come into being later.

        :param queue: the queue
        :param job_set_id: the job set, a name of your choice for jobs that belong together
        :param job_request_items: made by ``create_job_request_item``
        :param find_lost: false if a lost answer is to be raised at once, so that the caller can look for the jobs
        :return: one item with a job id for each item of the request, in the same order
        :raises ArmadaRpcError: when a request fails; its ``partial`` answers those before it, whose jobs exist, and
            ``may_have_happened`` tells whether the server may have accepted the jobs of this one all the same
        """
        return self._driver.run(submit_jobs_call(queue, job_set_id, job_request_items, find_lost=find_lost))

    def cancel_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_id: str | None = None,
        *,
        job_ids: Iterable[str] | None = None,
        reason: str = "",
    ) -> submit_pb2.CancellationResult:
        """Cancel jobs by id. The server answers before it acts, and does not check that the ids exist.

        With neither ``job_id`` nor ``job_ids`` it cancels the whole job set, and warns: better call ``cancel_jobset``.

        :param queue: the queue
        :param job_set_id: the job set; with a wrong one nothing happens
        :param job_id: one job id
        :param job_ids: several job ids
        :param reason: at most 50 bytes
        :return: the ids that were asked for; empty for a whole job set
        :raises ValueError: when an id is empty or the list of ids is, or the reason is too long
        """
        return self._driver.run(cancel_jobs_call(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))

    def cancel_jobset(
        self, queue: str, job_set_id: str, filter_states: Iterable[JobState], *, reason: str = ""
    ) -> empty_pb2.Empty:
        """Cancel the jobs of a job set that exist when the server comes to it.

        The server only tells queued jobs from all others, so PENDING or RUNNING alone stands for both and for LEASED.

        :param queue: the queue
        :param job_set_id: the job set
        :param filter_states: any of QUEUED, PENDING and RUNNING; none for all jobs
        :param reason: at most 50 bytes
        :return: an empty message
        :raises ValueError: for any other state, which the server would take for QUEUED
        """
        return self._driver.run(cancel_jobset_call(queue, job_set_id, filter_states, reason=reason))

    def reprioritize_jobs(
        self, new_priority: float, job_ids: list[str] | None, job_set_id: str, queue: str
    ) -> submit_pb2.JobReprioritizeResponse:
        """Change the priority of jobs.

        :param new_priority: a lower one is scheduled earlier within the queue
        :param job_ids: the jobs; None or an empty list for all of the job set
        :param job_set_id: the job set
        :param queue: the queue
        :return: a map whose keys are the job ids
        """
        return self._driver.run(reprioritize_jobs_call(new_priority, job_ids, job_set_id, queue))

    def preempt_jobs(
        self, queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
    ) -> submit_pb2.PreemptionResult:
        """Preempt jobs: takes effect on running jobs of a preemptible priority class only.

        :param queue: the queue
        :param job_set_id: the job set
        :param job_id: one job id, or None with ``job_ids``
        :param job_ids: several job ids
        :param reason: at most 50 bytes, shown in the job's events
        :return: a map whose keys are the job ids
        :raises ValueError: when no id is given, or the reason is too long
        """
        return self._driver.run(preempt_jobs_call(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))


class AsyncJobMethods:
    """Submitting, cancelling, preempting and reprioritizing jobs."""

    _driver: AsyncDriver

    async def submit_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_request_items: Iterable[submit_pb2.JobSubmitRequestItem],
        *,
        find_lost: bool = True,
    ) -> submit_pb2.JobSubmitResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.submit_jobs`."""
        return await self._driver.run(submit_jobs_call(queue, job_set_id, job_request_items, find_lost=find_lost))

    async def cancel_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_id: str | None = None,
        *,
        job_ids: Iterable[str] | None = None,
        reason: str = "",
    ) -> submit_pb2.CancellationResult:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cancel_jobs`."""
        return await self._driver.run(cancel_jobs_call(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))

    async def cancel_jobset(
        self, queue: str, job_set_id: str, filter_states: Iterable[JobState], *, reason: str = ""
    ) -> empty_pb2.Empty:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cancel_jobset`."""
        return await self._driver.run(cancel_jobset_call(queue, job_set_id, filter_states, reason=reason))

    async def reprioritize_jobs(
        self, new_priority: float, job_ids: list[str] | None, job_set_id: str, queue: str
    ) -> submit_pb2.JobReprioritizeResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.reprioritize_jobs`."""
        return await self._driver.run(reprioritize_jobs_call(new_priority, job_ids, job_set_id, queue))

    async def preempt_jobs(
        self, queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
    ) -> submit_pb2.PreemptionResult:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.preempt_jobs`."""
        return await self._driver.run(preempt_jobs_call(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))
