"""``api.RetryPolicyService``: retry policies are stored, shown, and by queues acted on (``scheduling.retries``)."""

from __future__ import annotations

import re

import grpc

from airflow_armada.api import empty_pb2, methods, submit_pb2
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes

NO_NAME = "retry policy name must not be empty"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class RetryPolicyService:
    """Handlers of ``api.RetryPolicyService``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._queues = access.engine.queues

    def routes(self) -> Routes:
        """Return the handlers by method."""
        calls = methods.RetryPolicyService
        return {
            calls.CREATE_RETRY_POLICY: self.create,
            calls.UPDATE_RETRY_POLICY: self.update,
            calls.DELETE_RETRY_POLICY: self.delete,
            calls.GET_RETRY_POLICY: self.get,
            calls.GET_RETRY_POLICIES: self.get_all,
        }

    def create(self, policy: submit_pb2.RetryPolicy, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "create_retry_policy", f"creating retry policy {policy.name}")
        return self._put(policy)

    def update(self, policy: submit_pb2.RetryPolicy, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "update_retry_policy", f"updating retry policy {policy.name}")
        if not _problem(policy):
            self._existing(policy.name)
        return self._put(policy)

    def _put(self, policy: submit_pb2.RetryPolicy) -> empty_pb2.Empty:
        if problem := _problem(policy):
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"invalid retry policy: {problem}")
        stored = submit_pb2.RetryPolicy()
        stored.CopyFrom(policy)
        self._queues.retry_policies[policy.name] = stored
        return empty_pb2.Empty()

    def delete(self, request: submit_pb2.RetryPolicyDeleteRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "delete_retry_policy", f"deleting retry policy {request.name}")
        _require_name(request.name)
        self._queues.delete_retry_policy(request.name)
        return empty_pb2.Empty()

    def get(self, request: submit_pb2.RetryPolicyGetRequest, caller: Caller) -> submit_pb2.RetryPolicy:
        _require_name(request.name)
        return self._existing(request.name)

    def _existing(self, name: str) -> submit_pb2.RetryPolicy:
        policy = self._queues.retry_policies.get(name)
        if policy is None:
            raise ApiError(grpc.StatusCode.NOT_FOUND, f'error: could not find retry policy "{name}"')
        return policy

    def get_all(self, request: submit_pb2.RetryPolicyListRequest, caller: Caller) -> submit_pb2.RetryPolicyList:
        policies = self._queues.retry_policies
        return submit_pb2.RetryPolicyList(retry_policies=[policies[name] for name in sorted(policies)])


def _require_name(name: str) -> None:
    if not name:
        raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, NO_NAME)


def _problem(policy: submit_pb2.RetryPolicy) -> str:
    """Return which rule a retry policy breaks, or nothing."""
    name = policy.name
    if not name:
        return NO_NAME
    if not _NAME.fullmatch(name):
        return (
            f"retry policy name \"{name}\" is invalid: must consist of lowercase alphanumeric characters or '-', and "
            "must start and end with an alphanumeric character"
        )
    for index, rule in enumerate(policy.rules):
        if rule.action == submit_pb2.RETRY_ACTION_UNSPECIFIED:
            return f'retry policy "{name}" rule {index}: action must be Fail or Retry'
        if not rule.on_category:
            return f'retry policy "{name}" rule {index}: on_category must be set'
        if rule.mutate.resources.HasField("memory") and (problem := _bump_problem(rule.mutate.resources.memory)):
            return f'retry policy "{name}" rule {index}: mutate.resources.memory: {problem}'
    if policy.default_action == submit_pb2.RETRY_ACTION_UNSPECIFIED:
        return f'retry policy "{name}" must set a default action (Fail or Retry)'
    return ""


def _bump_problem(bump: submit_pb2.RetryResourceBump) -> str:
    if bool(bump.static) == bool(bump.factor):
        return "set exactly one of static and factor" + (", not both" if bump.static else "")
    if not bump.static:
        return "" if bump.factor > 1.0 else f"factor {bump.factor:g} must be greater than 1.0"
    try:
        return "" if parse_quantity(bump.static) > 0 else f'static quantity "{bump.static}" must be positive'
    except ValueError as error:
        return f'invalid static quantity "{bump.static}": {error}'
