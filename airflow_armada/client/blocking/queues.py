"""Queues and retry policies: the methods for blocking code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import empty_pb2, submit_pb2
from airflow_armada.client.drivers import Driver
from airflow_armada.client.operations import queues as operations
from airflow_armada.client.typings import JobState


class QueueMethods:
    """Queues and retry policies."""

    _driver: Driver

    def create_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Create a queue, or replace the one of that name.

        :param queue: made by ``create_queue_request``
        :return: an empty message
        :raises ValueError: when it has no name
        """
        return self._driver.run(operations.create_queue(queue))

    def update_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Replace a queue with all of its settings: get it, change it and give it back whole.

        :param queue: the queue
        :return: an empty message
        :raises ValueError: when it has no name
        """
        return self._driver.run(operations.update_queue(queue))

    def create_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueCreateResponse:
        """Create several queues.

        :param queues: the queues
        :return: those that could not be created, with the reasons
        """
        return self._driver.run(operations.create_queues(queues))

    def update_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueUpdateResponse:
        """Replace several queues.

        :param queues: the queues
        :return: those that could not be updated, with the reasons
        """
        return self._driver.run(operations.update_queues(queues))

    def delete_queue(self, name: str) -> None:
        """Delete a queue. The server checks neither that it exists nor that it is empty.

        :param name: its name
        """
        self._driver.run(operations.delete_queue(name))

    def get_queue(self, name: str) -> submit_pb2.Queue:
        """Return a queue.

        :param name: its name
        :return: the queue, with its owners among the permissions
        :raises QueueNotFound: when there is none
        """
        return self._driver.run(operations.get_queue(name))

    def get_queues(self) -> list[submit_pb2.Queue]:
        """Return all queues, sorted by name."""
        return self._driver.run(operations.get_queues())

    def cordon_queue(self, name: str) -> None:
        """Stop scheduling the jobs of a queue; it still takes new ones.

        :param name: the queue
        """
        self._driver.run(operations.cordon_queue(name))

    def uncordon_queue(self, name: str) -> None:
        """Schedule the jobs of a queue again.

        :param name: the queue
        """
        self._driver.run(operations.uncordon_queue(name))

    def preempt_on_queue(self, name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()) -> None:
        """Preempt the running jobs of a queue; needs the permission ``preempt_any_jobs``.

        :param name: the queue
        :param priority_classes: only jobs of these; none for all
        :param pools: only jobs in these; none for all
        """
        self._driver.run(operations.preempt_on_queue(name, priority_classes=priority_classes, pools=pools))

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
        self._driver.run(operations.cancel_on_queue(name, job_states, priority_classes=priority_classes, pools=pools))

    def create_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """Create a retry policy, or replace the one of that name.

        :param retry_policy: the policy
        """
        self._driver.run(operations.create_retry_policy(retry_policy))

    def update_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """Replace a retry policy.

        :param retry_policy: the policy
        :raises NotFound: when there is none of that name
        """
        self._driver.run(operations.update_retry_policy(retry_policy))

    def delete_retry_policy(self, name: str) -> None:
        """Delete a retry policy and take it from the queues that use it.

        :param name: its name
        """
        self._driver.run(operations.delete_retry_policy(name))

    def get_retry_policy(self, name: str) -> submit_pb2.RetryPolicy:
        """Return a retry policy.

        :param name: its name
        :raises NotFound: when there is none of that name
        """
        return self._driver.run(operations.get_retry_policy(name))

    def get_retry_policies(self) -> list[submit_pb2.RetryPolicy]:
        """Return all retry policies."""
        return self._driver.run(operations.get_retry_policies())
