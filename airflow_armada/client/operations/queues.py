"""Queues: making, changing, reading, cordoning them, and acting on all of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from airflow_armada.api import empty_pb2, submit_pb2
from airflow_armada.api.methods import QueueService, RetryPolicyService
from airflow_armada.client.calls import Call
from airflow_armada.client.errors import Unavailable
from airflow_armada.client.messages import adopt, adopt_all, by_bytes
from airflow_armada.client.operations.jobs import job_state
from airflow_armada.client.typings import JobState


def create_queue(queue: submit_pb2.Queue) -> Call[empty_pb2.Empty]:
    return Call(QueueService.CREATE_QUEUE, (_named(queue),))


def update_queue(queue: submit_pb2.Queue) -> Call[empty_pb2.Empty]:
    return Call(QueueService.UPDATE_QUEUE, (_named(queue),))


def create_queues(queues: Iterable[Any]) -> Call[submit_pb2.BatchQueueCreateResponse]:
    return Call(QueueService.CREATE_QUEUES, _queue_lists(queues), _join_created)


def update_queues(queues: Iterable[Any]) -> Call[submit_pb2.BatchQueueUpdateResponse]:
    return Call(QueueService.UPDATE_QUEUES, _queue_lists(queues), _join_updated)


def _join_created(answers: Sequence[submit_pb2.BatchQueueCreateResponse]) -> submit_pb2.BatchQueueCreateResponse:
    return submit_pb2.BatchQueueCreateResponse(
        failed_queues=[failed for answer in answers for failed in answer.failed_queues]
    )


def _join_updated(answers: Sequence[submit_pb2.BatchQueueUpdateResponse]) -> submit_pb2.BatchQueueUpdateResponse:
    return submit_pb2.BatchQueueUpdateResponse(
        failed_queues=[failed for answer in answers for failed in answer.failed_queues]
    )


def delete_queue(name: str) -> Call[None]:
    return Call(QueueService.DELETE_QUEUE, (submit_pb2.QueueDeleteRequest(name=_name(name)),), _nothing)


def get_queue(name: str) -> Call[submit_pb2.Queue]:
    return Call(QueueService.GET_QUEUE, (submit_pb2.QueueGetRequest(name=_name(name)),))


def get_queues() -> Call[list[submit_pb2.Queue]]:
    return Call(QueueService.GET_QUEUES, (submit_pb2.StreamingQueueGetRequest(),), _listed, flaw=_cut_short)


def _listed(answers: Sequence[list[submit_pb2.StreamingQueueMessage]]) -> list[submit_pb2.Queue]:
    return [message.queue for message in answers[0] if message.WhichOneof("event") == "queue"]


def _cut_short(messages: Sequence[submit_pb2.StreamingQueueMessage]) -> Unavailable | None:
    if any(message.WhichOneof("event") == "end" for message in messages):
        return None
    return Unavailable(grpc.StatusCode.UNAVAILABLE, "the list of queues ended before its end marker", "GetQueues")


def cordon_queue(name: str) -> Call[None]:
    return Call(QueueService.CORDON_QUEUE, (submit_pb2.QueueCordonRequest(name=_name(name)),), _nothing)


def uncordon_queue(name: str) -> Call[None]:
    return Call(QueueService.UNCORDON_QUEUE, (submit_pb2.QueueUncordonRequest(name=_name(name)),), _nothing)


def preempt_on_queue(name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()) -> Call[None]:
    request = submit_pb2.QueuePreemptRequest(name=_name(name), priorityClasses=priority_classes, pools=pools)
    return Call(QueueService.PREEMPT_ON_QUEUE, (request,), _nothing)


def cancel_on_queue(
    name: str, job_states: Iterable[Any], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
) -> Call[None]:
    request = submit_pb2.QueueCancelRequest(
        name=_name(name), jobStates=_live_states(job_states), priorityClasses=priority_classes, pools=pools
    )
    return Call(QueueService.CANCEL_ON_QUEUE, (request,), _nothing)


_LIVE = (JobState.QUEUED, JobState.LEASED, JobState.PENDING, JobState.RUNNING)


def _live_states(job_states: Iterable[Any]) -> list[str]:
    states = list(dict.fromkeys(job_state(state) for state in job_states))
    wrong = [state.name for state in states if state not in _LIVE]
    if wrong or not states:
        # The server takes an empty list and then cancels nothing.
        given = f"not {', '.join(wrong)}" if wrong else "and at least one"
        raise ValueError(f"job_states can hold QUEUED, LEASED, PENDING and RUNNING, {given}")
    return [state.name for state in states]


def create_retry_policy(retry_policy: submit_pb2.RetryPolicy) -> Call[None]:
    policy = adopt(retry_policy, submit_pb2.RetryPolicy)
    return Call(RetryPolicyService.CREATE_RETRY_POLICY, (policy,), _nothing)


def update_retry_policy(retry_policy: submit_pb2.RetryPolicy) -> Call[None]:
    policy = adopt(retry_policy, submit_pb2.RetryPolicy)
    return Call(RetryPolicyService.UPDATE_RETRY_POLICY, (policy,), _nothing)


def delete_retry_policy(name: str) -> Call[None]:
    return Call(RetryPolicyService.DELETE_RETRY_POLICY, (submit_pb2.RetryPolicyDeleteRequest(name=name),), _nothing)


def get_retry_policy(name: str) -> Call[submit_pb2.RetryPolicy]:
    return Call(RetryPolicyService.GET_RETRY_POLICY, (submit_pb2.RetryPolicyGetRequest(name=name),))


def get_retry_policies() -> Call[list[submit_pb2.RetryPolicy]]:
    return Call(RetryPolicyService.GET_RETRY_POLICIES, (submit_pb2.RetryPolicyListRequest(),), _policies)


def _policies(answers: Sequence[submit_pb2.RetryPolicyList]) -> list[submit_pb2.RetryPolicy]:
    return list(answers[0].retry_policies)


def _nothing(answers: Sequence[Any]) -> None:
    return None


def _name(name: str) -> str:
    # The server takes an empty name, makes a queue of it and offers no way to address it.
    if not name:
        raise ValueError("the name of a queue must not be empty")
    return name


def _named(queue: Any) -> submit_pb2.Queue:
    message = adopt(queue, submit_pb2.Queue)
    _name(message.name)
    return message


def _queue_lists(queues: Iterable[Any]) -> tuple[submit_pb2.QueueList, ...]:
    messages = adopt_all(queues, submit_pb2.Queue)
    for message in messages:
        _name(message.name)
    return tuple(submit_pb2.QueueList(queues=part) for part in by_bytes(messages))
