"""Clusters (executors) and their nodes, for administrators: cordoning them, and acting on the jobs that run there.

After a lost answer only the settings are sent again, which are set as a whole: a second time, the other calls would hit
what began to run in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_armada.api import executor_pb2
from airflow_armada.api.methods import Executor, Method, Node
from airflow_armada.client.calls.call import SETS, Call, nothing
from airflow_armada.client.calls.drivers import AsyncDriver, Driver


def upsert_executor_settings_call(name: str, *, cordoned: bool, cordon_reason: str = "") -> Call[None]:
    if cordoned and not cordon_reason:
        raise ValueError("a reason must be given to cordon an executor")
    request = executor_pb2.ExecutorSettingsUpsertRequest(
        name=_named(name), cordoned=cordoned, cordonReason=cordon_reason
    )
    return Call(Executor.UPSERT_EXECUTOR_SETTINGS, (request,), nothing, repeatable=SETS, command=True)


def delete_executor_settings_call(name: str) -> Call[None]:
    request = executor_pb2.ExecutorSettingsDeleteRequest(name=_named(name))
    return Call(Executor.DELETE_EXECUTOR_SETTINGS, (request,), nothing, command=True)


def delete_executor_call(name: str) -> Call[None]:
    return Call(
        Executor.DELETE_EXECUTOR, (executor_pb2.ExecutorDeleteRequest(name=_named(name)),), nothing, command=True
    )


def preempt_on_executor_call(
    name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
) -> Call[None]:
    return _on_jobs(Executor.PREEMPT_ON_EXECUTOR, name, queues, priorityClasses=priority_classes, pools=pools)


def cancel_on_executor_call(
    name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
) -> Call[None]:
    return _on_jobs(Executor.CANCEL_ON_EXECUTOR, name, queues, priorityClasses=priority_classes, pools=pools)


def preempt_on_node_call(
    name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
) -> Call[None]:
    return _on_jobs(Node.PREEMPT_ON_NODE, name, queues, executor=_named(executor), priorityClasses=priority_classes)


def cancel_on_node_call(
    name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
) -> Call[None]:
    return _on_jobs(Node.CANCEL_ON_NODE, name, queues, executor=_named(executor), priorityClasses=priority_classes)


def _on_jobs(method: Method[Any, Any], name: str, queues: Iterable[str], **which: Any) -> Call[None]:
    return Call(method, (method.request(name=_named(name), queues=_some(queues), **which),), nothing, command=True)


def _named(name: str) -> str:
    if not name:
        raise ValueError("the names of an executor and of a node must not be empty")
    return name


def _some(queues: Iterable[str]) -> list[str]:
    if isinstance(queues, str):
        raise TypeError(f"expected a list of queues, not the string {queues!r}")
    names = list(queues)
    if not names:
        # armadactl sends the names of all queues for "all": an empty list matches no job.
        raise ValueError("at least one queue must be given; for all of them, the names that get_queues returns")
    return names


class ExecutorMethods:
    """Clusters and their nodes, for blocking code."""

    _driver: Driver

    def upsert_executor_settings(self, name: str, *, cordoned: bool, cordon_reason: str = "") -> None:
        """Set whether a cluster takes new jobs; needs the permission ``update_executor_settings``.

        :param name: the executor, which is the name of its cluster
        :param cordoned: whether it takes none
        :param cordon_reason: why; needed to cordon it
        :raises ValueError: when it is to be cordoned without a reason
        """
        self._driver.run(upsert_executor_settings_call(name, cordoned=cordoned, cordon_reason=cordon_reason))

    def delete_executor_settings(self, name: str) -> None:
        """Forget the settings of a cluster, so that it takes new jobs.

        :param name: the executor
        """
        self._driver.run(delete_executor_settings_call(name))

    def delete_executor(self, name: str) -> None:
        """Make the scheduler forget a cluster; one that lives comes back by itself.

        :param name: the executor
        """
        self._driver.run(delete_executor_call(name))

    def preempt_on_executor(
        self, name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """Preempt jobs that run on a cluster; needs the permission ``preempt_any_jobs``.

        :param name: the executor
        :param queues: jobs of these queues, at least one
        :param priority_classes: only jobs of these; none for all
        :param pools: only jobs in these; none for all
        :raises ValueError: for no queue, with which the server does nothing
        """
        self._driver.run(preempt_on_executor_call(name, queues, priority_classes=priority_classes, pools=pools))

    def cancel_on_executor(
        self, name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """Cancel jobs that run on a cluster; needs the permission ``cancel_any_jobs``.

        :param name: the executor
        :param queues: jobs of these queues, at least one
        :param priority_classes: only jobs of these; none for all
        :param pools: only jobs in these; none for all
        :raises ValueError: for no queue, with which the server does nothing
        """
        self._driver.run(cancel_on_executor_call(name, queues, priority_classes=priority_classes, pools=pools))

    def preempt_on_node(
        self, name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
    ) -> None:
        """Preempt jobs that run on a node; needs the permission ``preempt_any_jobs``.

        :param name: the node
        :param executor: the cluster that it belongs to
        :param queues: jobs of these queues, at least one
        :param priority_classes: only jobs of these; none for all
        :raises ValueError: for no queue, with which the server does nothing
        """
        self._driver.run(preempt_on_node_call(name, executor, queues, priority_classes=priority_classes))

    def cancel_on_node(
        self, name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
    ) -> None:
        """Cancel jobs that run on a node; needs the permission ``cancel_any_jobs``.

        :param name: the node
        :param executor: the cluster that it belongs to
        :param queues: jobs of these queues, at least one
        :param priority_classes: only jobs of these; none for all
        :raises ValueError: for no queue, with which the server does nothing
        """
        self._driver.run(cancel_on_node_call(name, executor, queues, priority_classes=priority_classes))


class AsyncExecutorMethods:
    """Clusters and their nodes, for asyncio code."""

    _driver: AsyncDriver

    async def upsert_executor_settings(self, name: str, *, cordoned: bool, cordon_reason: str = "") -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.upsert_executor_settings`."""
        await self._driver.run(upsert_executor_settings_call(name, cordoned=cordoned, cordon_reason=cordon_reason))

    async def delete_executor_settings(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.delete_executor_settings`."""
        await self._driver.run(delete_executor_settings_call(name))

    async def delete_executor(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.delete_executor`."""
        await self._driver.run(delete_executor_call(name))

    async def preempt_on_executor(
        self, name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.preempt_on_executor`."""
        await self._driver.run(preempt_on_executor_call(name, queues, priority_classes=priority_classes, pools=pools))

    async def cancel_on_executor(
        self, name: str, queues: Iterable[str], *, priority_classes: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cancel_on_executor`."""
        await self._driver.run(cancel_on_executor_call(name, queues, priority_classes=priority_classes, pools=pools))

    async def preempt_on_node(
        self, name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.preempt_on_node`."""
        await self._driver.run(preempt_on_node_call(name, executor, queues, priority_classes=priority_classes))

    async def cancel_on_node(
        self, name: str, executor: str, queues: Iterable[str], *, priority_classes: Iterable[str] = ()
    ) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.cancel_on_node`."""
        await self._driver.run(cancel_on_node_call(name, executor, queues, priority_classes=priority_classes))
