"""What every service knows: the engine, the faults, and whether a caller may do something."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from airflow_armada.api.submit_pb2 import Queue
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.auth import Authenticator, Principal
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.store.queue_store import permits


class Denied(Exception):
    """The caller lacks a permission, or the queue does not exist; services differ in how they say so."""


@dataclass(frozen=True)
class Caller:
    """Who makes a call.

    :param request_id: what error texts name the call by
    """

    principal: Principal
    request_id: str

    @property
    def name(self) -> str:
        return self.principal.name


@dataclass(frozen=True)
class Access:
    """The parts of the server that services use."""

    engine: Engine
    authenticator: Authenticator
    faults: Faults

    def queue(self, name: str) -> Queue:
        """Return a queue.

        :raises Denied: there is none of that name
        """
        queue = self.engine.queues.get(name)
        if queue is None:
            raise Denied(f'could not find queue "{name}"')
        return queue

    def authorize_on_queue(self, caller: Caller, name: str, permission: str, verb: str) -> Queue:
        """Return a queue if the caller may do something with it.

        :param permission: the global permission that suffices
        :param verb: the permission on the queue that suffices
        :raises Denied: it does not exist or the caller may not
        """
        queue = self.queue(name)
        if not self.authenticator.may(caller.principal, permission) and not permits(queue, caller.principal, verb):
            raise Denied(
                f"{caller.name} lacks permission {verb} required for action {verb} for queue {name}; "
                f"neither a permission on the queue nor {permission} allows it"
            )
        return queue

    def require(self, caller: Caller, permission: str, doing: str) -> None:
        """Make sure that the caller has a global permission.

        :param doing: what the call does, for the error's text
        :raises ApiError: PERMISSION_DENIED
        """
        if not self.authenticator.may(caller.principal, permission):
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"error {doing}: {caller.name} lacks permission {permission} required for action {permission}",
            )
