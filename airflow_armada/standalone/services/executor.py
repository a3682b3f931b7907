"""``api.Executor`` and ``api.Node``: what administrators do to the one cluster and the one node that there are.

As in Armada, a request acts on the queues that it names, and on nothing if it names none; no priority class means all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from airflow_armada.api import empty_pb2, executor_pb2, methods, node_pb2
from airflow_armada.standalone.api_error import unknown
from airflow_armada.standalone.config import CLUSTER, NODE, POOL
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job, Request


class ExecutorService:
    """Handlers of ``api.Executor`` and ``api.Node``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._engine = access.engine

    def routes(self) -> Routes:
        """Return the handlers by method."""
        executor, node = methods.Executor, methods.Node
        return {
            executor.UPSERT_EXECUTOR_SETTINGS: self.upsert_settings,
            executor.DELETE_EXECUTOR_SETTINGS: self.delete_settings,
            executor.PREEMPT_ON_EXECUTOR: self.preempt_on_executor,
            executor.CANCEL_ON_EXECUTOR: self.cancel_on_executor,
            executor.DELETE_EXECUTOR: self.delete_executor,
            node.PREEMPT_ON_NODE: self.preempt_on_node,
            node.CANCEL_ON_NODE: self.cancel_on_node,
        }

    async def upsert_settings(
        self, request: executor_pb2.ExecutorSettingsUpsertRequest, caller: Caller
    ) -> empty_pb2.Empty:
        self._access.require(caller, "update_executor_settings", f"updating settings of executor {request.name}")
        _require(request.name, "executor", "updating settings")
        if request.cordoned and not request.cordonReason:
            raise unknown("cordon reason must be specified if cordoning")
        return await self._set_cordoned(request.name, request.cordoned)

    async def delete_settings(
        self, request: executor_pb2.ExecutorSettingsDeleteRequest, caller: Caller
    ) -> empty_pb2.Empty:
        self._access.require(caller, "update_executor_settings", f"deleting settings of executor {request.name}")
        _require(request.name, "executor", "deleting settings")
        return await self._set_cordoned(request.name, False)

    async def _set_cordoned(self, name: str, cordoned: bool) -> empty_pb2.Empty:
        def publish() -> None:
            if name == CLUSTER:
                self._engine.scheduler.cordoned = cordoned
                self._engine.wake()

        await self._engine.bus.publish(publish)
        return empty_pb2.Empty()

    async def delete_executor(self, request: executor_pb2.ExecutorDeleteRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "update_executor_settings", f"deleting executor {request.name}")
        _require(request.name, "executor", "deleting executor")
        if request.name == CLUSTER:
            raise unknown("the embedded Armada has one executor, which cannot be deleted; cordon it instead")
        return empty_pb2.Empty()

    async def preempt_on_executor(
        self, request: executor_pb2.ExecutorPreemptRequest, caller: Caller
    ) -> empty_pb2.Empty:
        self._access.require(caller, "preempt_any_jobs", f"preempting jobs on executor {request.name}")
        _require(request.name, "executor", "determining what to preempt")
        return await self._act(self._engine.request_preempt_jobs, caller, self._here(request.name), request)

    async def cancel_on_executor(self, request: executor_pb2.ExecutorCancelRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cancel_any_jobs", f"cancelling jobs on executor {request.name}")
        _require(request.name, "executor", "determining what to cancel")
        return await self._act(self._engine.request_cancel_jobs, caller, self._here(request.name), request)

    async def preempt_on_node(self, request: node_pb2.NodePreemptRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "preempt_any_jobs", f"preempting jobs on node {request.name}")
        _require(request.executor, "executor", "determining what to preempt")
        _require(request.name, "node", "determining what to preempt")
        here = self._here(request.executor) and request.name == NODE
        return await self._act(self._engine.request_preempt_jobs, caller, here, request)

    async def cancel_on_node(self, request: node_pb2.NodeCancelRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cancel_any_jobs", f"cancelling jobs on node {request.name}")
        _require(request.executor, "executor", "determining what to cancel")
        _require(request.name, "node", "determining what to cancel")
        here = self._here(request.executor) and request.name == NODE
        return await self._act(self._engine.request_cancel_jobs, caller, here, request)

    def _here(self, executor: str) -> bool:
        return executor == CLUSTER

    async def _act(
        self, act: Callable[[list[Job], Request], None], caller: Caller, here: bool, request: Any
    ) -> empty_pb2.Empty:
        pools: Collection[str] = getattr(request, "pools", ())

        def publish() -> None:
            jobs = [
                job
                for job in self._engine.store.live.values()
                if job.state in model.ACTIVE
                and job.queue in request.queues
                and (not request.priorityClasses or job.priority_class in request.priorityClasses)
            ]
            act(jobs if here and (not pools or POOL in pools) else [], Request(caller.name, "", in_bulk=True))

        await self._engine.bus.publish(publish)
        return empty_pb2.Empty()


def _require(name: str, kind: str, doing: str) -> None:
    if not name:
        raise unknown(f"must provide non-empty {kind} name when {doing}")
