"""Queues: making, changing, reading, cordoning them, and acting on all of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from airflow_armada.api import empty_pb2, submit_pb2
from airflow_armada.api.methods import QueueService
from airflow_armada.client.calls.call import READS, SETS, Call, nothing
from airflow_armada.client.calls.drivers import AsyncDriver, Driver
from airflow_armada.client.calls.jobs import job_state
from airflow_armada.client.calls.messages import adopt, adopt_all, by_bytes
from airflow_armada.client.errors import Unavailable
from airflow_armada.client.typings import JobState


def create_queue_call(queue: submit_pb2.Queue) -> Call[empty_pb2.Empty]:
    return Call(QueueService.CREATE_QUEUE, (_named(queue),), repeatable=SETS)


def update_queue_call(queue: submit_pb2.Queue) -> Call[empty_pb2.Empty]:
    return Call(QueueService.UPDATE_QUEUE, (_named(queue),), repeatable=SETS)


def create_queues_call(queues: Iterable[Any]) -> Call[submit_pb2.BatchQueueCreateResponse]:
    return Call(QueueService.CREATE_QUEUES, _queue_lists(queues), _join_created, repeatable=SETS)


def update_queues_call(queues: Iterable[Any]) -> Call[submit_pb2.BatchQueueUpdateResponse]:
    return Call(QueueService.UPDATE_QUEUES, _queue_lists(queues), _join_updated, repeatable=SETS)


def _join_created(answers: Sequence[submit_pb2.BatchQueueCreateResponse]) -> submit_pb2.BatchQueueCreateResponse:
    return submit_pb2.BatchQueueCreateResponse(
        failed_queues=[failed for answer in answers for failed in answer.failed_queues]
    )


def _join_updated(answers: Sequence[submit_pb2.BatchQueueUpdateResponse]) -> submit_pb2.BatchQueueUpdateResponse:
    return submit_pb2.BatchQueueUpdateResponse(
        failed_queues=[failed for answer in answers for failed in answer.failed_queues]
    )


def delete_queue_call(name: str) -> Call[None]:
    # A second time it would delete a queue that was made in between.
    return Call(QueueService.DELETE_QUEUE, (submit_pb2.QueueDeleteRequest(name=_name(name)),), nothing)


def get_queue_call(name: str) -> Call[submit_pb2.Queue]:
    return Call(QueueService.GET_QUEUE, (submit_pb2.QueueGetRequest(name=_name(name)),), repeatable=READS)


def get_queues_call() -> Call[list[submit_pb2.Queue]]:
    request = submit_pb2.StreamingQueueGetRequest()
    return Call(QueueService.GET_QUEUES, (request,), _listed, repeatable=READS, flaw=_cut_short)


def _listed(answers: Sequence[list[submit_pb2.StreamingQueueMessage]]) -> list[submit_pb2.Queue]:
    return [message.queue for message in answers[0] if message.WhichOneof("event") == "queue"]


def _cut_short(messages: Sequence[submit_pb2.StreamingQueueMessage]) -> Unavailable | None:
    if any(message.WhichOneof("event") == "end" for message in messages):
        return None
    return Unavailable(grpc.StatusCode.UNAVAILABLE, "the list of queues ended before its end marker", "GetQueues")


def cordon_queue_call(name: str) -> Call[None]:
    request = submit_pb2.QueueCordonRequest(name=_name(name))
    return Call(QueueService.CORDON_QUEUE, (request,), nothing, repeatable=SETS)


def uncordon_queue_call(name: str) -> Call[None]:
    request = submit_pb2.QueueUncordonRequest(name=_name(name))
    return Call(QueueService.UNCORDON_QUEUE, (request,), nothing, repeatable=SETS)


def preempt_on_queue_call(name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()) -> Call[None]:
    request = submit_pb2.QueuePreemptRequest(name=_name(name), priorityClasses=priority_classes, pools=pools)
    # A second time it would preempt what began to run in between.
    return Call(QueueService.PREEMPT_ON_QUEUE, (request,), nothing, command=True)


def cancel_on_queue_call(
    name: str, job_states: Iterable[Any], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
) -> Call[None]:
    request = submit_pb2.QueueCancelRequest(
        name=_name(name), jobStates=_live_states(job_states), priorityClasses=priority_classes, pools=pools
    )
    # A second time it would cancel what was submitted in between.
    return Call(QueueService.CANCEL_ON_QUEUE, (request,), nothing, command=True)


_LIVE = (JobState.QUEUED, JobState.LEASED, JobState.PENDING, JobState.RUNNING)


def _live_states(job_states: Iterable[Any]) -> list[str]:
    states = list(dict.fromkeys(job_state(state) for state in job_states))
    wrong = [state.name for state in states if state not in _LIVE]
    if wrong or not states:
        # The server takes an empty list and then cancels nothing.
        given = f"not {', '.join(wrong)}" if wrong else "and at least one"
        raise ValueError(f"job_states can hold QUEUED, LEASED, PENDING and RUNNING, {given}")
    return [state.name for state in states]


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


class QueueMethods:
    """Queues."""

    _driver: Driver

    def create_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Create a queue, or replace the one of that name.

        :param queue: made by ``create_queue_request``
        :return: an empty message
        :raises ValueError: when it has no name
        """
        return self._driver.run(create_queue_call(queue))

    def update_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Replace a queue with all of its settings: get it, change it and give it back whole.

        :param queue: the queue
        :return: an empty message
        :raises ValueError: when it has no name
        """
        return self._driver.run(update_queue_call(queue))

    def create_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueCreateResponse:
        """Create several queues.

        :param queues: the queues
        :return: those that could not be created, with the reasons
        """
        return self._driver.run(create_queues_call(queues))

    def update_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueUpdateResponse:
        """Replace several queues.

        :param queues: the queues
        :return: those that could not be updated, with the reasons
        """
        return self._driver.run(update_queues_call(queues))

    def delete_queue(self, name: str) -> None:
        """Delete a queue. The server checks neither that it exists nor that it is empty.

        :param name: its name
        """
        self._driver.run(delete_queue_call(name))

    def get_queue(self, name: str) -> submit_pb2.Queue:
        """Return a queue.

        :param name: its name
        :return: the queue, with its owners among the permissions
        :raises QueueNotFound: when there is none
        """
        return self._driver.run(get_queue_call(name))

    def get_queues(self) -> list[submit_pb2.Queue]:
        """Return all queues, sorted by name."""
        return self._driver.run(get_queues_call())

    def cordon_queue(self, name: str) -> None:
        """Stop scheduling the jobs of a queue; it still takes new ones.

        :param name: the queue
        """
        self._driver.run(cordon_queue_call(name))

    def uncordon_queue(self, name: str) -> None:
        """Schedule the jobs of a queue again.

        :param name: the queue
        """
        self._driver.run(uncordon_queue_call(name))

    def preempt_on_queue(self, name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()) -> None:
        """Preempt the running jobs of a queue; needs the permission ``preempt_any_jobs``.

        :param name: the queue
        :param priority_classes: only jobs of these; none for all
        :param pools: only jobs in these; none for all
        """
        self._driver.run(preempt_on_queue_call(name, priority_classes=priority_classes, pools=pools))

    def cancel_on_queue(
        self,
        name: str,
        job_states: Iterable[JobState],
        *,
        priority_classes: Iterable[str] = (),
        pools: Iterable[str] = (),
    ) -> None:
        """Cancel the jobs of a queue; needs the permission ``cancel_any_jobs``.

        :param name: the queue
        :param job_states: at least one of QUEUED, LEASED, PENDING and RUNNING
        :param priority_classes: only jobs of these; none for all
        :param pools: only jobs in these; none for all
        :raises ValueError: for no state, with which the server cancels nothing, or any other
        """
        self._driver.run(cancel_on_queue_call(name, job_states, priority_classes=priority_classes, pools=pools))


class AsyncQueueMethods:
    """Queues."""

    _driver: AsyncDriver

    async def create_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.create_queue`."""
        return await self._driver.run(create_queue_call(queue))

    async def update_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.update_queue`."""
        return await self._driver.run(update_queue_call(queue))

    async def create_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueCreateResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.create_queues`."""
        return await self._driver.run(create_queues_call(queues))

    async def update_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueUpdateResponse:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.update_queues`."""
        return await self._driver.run(update_queues_call(queues))

    async def delete_queue(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.delete_queue`."""
        await self._driver.run(delete_queue_call(name))

    async def get_queue(self, name: str) -> submit_pb2.Queue:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_queue`."""
        return await self._driver.run(get_queue_call(name))

    async def get_queues(self) -> list[submit_pb2.Queue]:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_queues`."""
        return await self._driver.run(get_queues_call())

    async def cordon_queue(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cordon_queue`."""
        await self._driver.run(cordon_queue_call(name))

    async def uncordon_queue(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.uncordon_queue`."""
        await self._driver.run(uncordon_queue_call(name))

    async def preempt_on_queue(
        self, name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.preempt_on_queue`."""
        await self._driver.run(preempt_on_queue_call(name, priority_classes=priority_classes, pools=pools))

    async def cancel_on_queue(
        self,
        name: str,
        job_states: Iterable[JobState],
        *,
        priority_classes: Iterable[str] = (),
        pools: Iterable[str] = (),
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cancel_on_queue`."""
        await self._driver.run(cancel_on_queue_call(name, job_states, priority_classes=priority_classes, pools=pools))
