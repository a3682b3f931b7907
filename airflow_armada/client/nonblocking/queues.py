"""Queues and retry policies: the methods for asyncio code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import empty_pb2, submit_pb2
from airflow_armada.client.drivers import AsyncDriver
from airflow_armada.client.operations import queues as operations
from airflow_armada.client.typings import JobState


class AsyncQueueMethods:
    """Queues and retry policies."""

    _driver: AsyncDriver

    async def create_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Create a queue, or replace the one of that name.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.create_queue`.
        """
        return await self._driver.run(operations.create_queue(queue))

    async def update_queue(self, queue: submit_pb2.Queue) -> empty_pb2.Empty:
        """Replace a queue with all of its settings: get it, change it and give it back whole.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.update_queue`.
        """
        return await self._driver.run(operations.update_queue(queue))

    async def create_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueCreateResponse:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.create_queues`: create several queues."""
        return await self._driver.run(operations.create_queues(queues))

    async def update_queues(self, queues: Iterable[submit_pb2.Queue]) -> submit_pb2.BatchQueueUpdateResponse:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.update_queues`: replace several queues."""
        return await self._driver.run(operations.update_queues(queues))

    async def delete_queue(self, name: str) -> None:
        """Delete a queue. The server checks neither that it exists nor that it is empty.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.delete_queue`.
        """
        await self._driver.run(operations.delete_queue(name))

    async def get_queue(self, name: str) -> submit_pb2.Queue:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_queue`: return a queue."""
        return await self._driver.run(operations.get_queue(name))

    async def get_queues(self) -> list[submit_pb2.Queue]:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_queues`: return all queues, sorted by name."""
        return await self._driver.run(operations.get_queues())

    async def cordon_queue(self, name: str) -> None:
        """Stop scheduling the jobs of a queue; it still takes new ones.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.cordon_queue`.
        """
        await self._driver.run(operations.cordon_queue(name))

    async def uncordon_queue(self, name: str) -> None:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.uncordon_queue`: schedule the jobs of a queue again."""
        await self._driver.run(operations.uncordon_queue(name))

    async def preempt_on_queue(
        self, name: str, *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """Preempt the running jobs of a queue; needs the permission ``preempt_any_jobs``.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.preempt_on_queue`.
        """
        await self._driver.run(operations.preempt_on_queue(name, priority_classes=priority_classes, pools=pools))

    async def cancel_on_queue(
        self,
        name: str,
        job_states: Iterable[JobState],
        *,
        priority_classes: Iterable[str] = (),
        pools: Iterable[str] = (),
    ) -> None:
        """Cancel the jobs of a queue; needs the permission ``cancel_any_jobs``.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.cancel_on_queue`.
        """
        await self._driver.run(
            operations.cancel_on_queue(name, job_states, priority_classes=priority_classes, pools=pools)
        )

    async def create_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """Create a retry policy, or replace the one of that name.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.create_retry_policy`.
        """
        await self._driver.run(operations.create_retry_policy(retry_policy))

    async def update_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.update_retry_policy`: replace a retry policy."""
        await self._driver.run(operations.update_retry_policy(retry_policy))

    async def delete_retry_policy(self, name: str) -> None:
        """Delete a retry policy and take it from the queues that use it.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.delete_retry_policy`.
        """
        await self._driver.run(operations.delete_retry_policy(name))

    async def get_retry_policy(self, name: str) -> submit_pb2.RetryPolicy:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_retry_policy`: return a retry policy."""
        return await self._driver.run(operations.get_retry_policy(name))

    async def get_retry_policies(self) -> list[submit_pb2.RetryPolicy]:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_retry_policies`: return all retry policies."""
        return await self._driver.run(operations.get_retry_policies())
