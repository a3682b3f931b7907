"""Retry policies: what Armada itself does with a job that fails."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_armada.api import submit_pb2
from airflow_armada.api.methods import RetryPolicyService
from airflow_armada.client.calls.call import READS, SETS, Call, nothing
from airflow_armada.client.calls.drivers import AsyncDriver, Driver
from airflow_armada.client.calls.messages import adopt


def create_retry_policy_call(retry_policy: submit_pb2.RetryPolicy) -> Call[None]:
    policy = adopt(retry_policy, submit_pb2.RetryPolicy)
    return Call(RetryPolicyService.CREATE_RETRY_POLICY, (policy,), nothing, repeatable=SETS)


def update_retry_policy_call(retry_policy: submit_pb2.RetryPolicy) -> Call[None]:
    policy = adopt(retry_policy, submit_pb2.RetryPolicy)
    return Call(RetryPolicyService.UPDATE_RETRY_POLICY, (policy,), nothing, repeatable=SETS)


def delete_retry_policy_call(name: str) -> Call[None]:
    # A second time it would delete a policy that was made in between.
    return Call(RetryPolicyService.DELETE_RETRY_POLICY, (submit_pb2.RetryPolicyDeleteRequest(name=name),), nothing)


def get_retry_policy_call(name: str) -> Call[submit_pb2.RetryPolicy]:
    return Call(RetryPolicyService.GET_RETRY_POLICY, (submit_pb2.RetryPolicyGetRequest(name=name),), repeatable=READS)


def get_retry_policies_call() -> Call[list[submit_pb2.RetryPolicy]]:
    request = submit_pb2.RetryPolicyListRequest()
    return Call(RetryPolicyService.GET_RETRY_POLICIES, (request,), _policies, repeatable=READS)


def _policies(answers: Sequence[submit_pb2.RetryPolicyList]) -> list[submit_pb2.RetryPolicy]:
    return list(answers[0].retry_policies)


class RetryPolicyMethods:
    """Retry policies, for blocking code."""

    _driver: Driver

    def create_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """Create a retry policy, or replace the one of that name.

        :param retry_policy: the policy
        """
        self._driver.run(create_retry_policy_call(retry_policy))

    def update_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """Replace a retry policy.

        :param retry_policy: the policy
        :raises NotFound: when there is none of that name
        """
        self._driver.run(update_retry_policy_call(retry_policy))

    def delete_retry_policy(self, name: str) -> None:
        """Delete a retry policy and take it from the queues that use it.

        :param name: its name
        """
        self._driver.run(delete_retry_policy_call(name))

    def get_retry_policy(self, name: str) -> submit_pb2.RetryPolicy:
        """Return a retry policy.

        :param name: its name
        :raises NotFound: when there is none of that name
        """
        return self._driver.run(get_retry_policy_call(name))

    def get_retry_policies(self) -> list[submit_pb2.RetryPolicy]:
        """Return all retry policies."""
        return self._driver.run(get_retry_policies_call())


class AsyncRetryPolicyMethods:
    """Retry policies, for asyncio code."""

    _driver: AsyncDriver

    async def create_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.create_retry_policy`."""
        await self._driver.run(create_retry_policy_call(retry_policy))

    async def update_retry_policy(self, retry_policy: submit_pb2.RetryPolicy) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.update_retry_policy`."""
        await self._driver.run(update_retry_policy_call(retry_policy))

    async def delete_retry_policy(self, name: str) -> None:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.delete_retry_policy`."""
        await self._driver.run(delete_retry_policy_call(name))

    async def get_retry_policy(self, name: str) -> submit_pb2.RetryPolicy:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_retry_policy`."""
        return await self._driver.run(get_retry_policy_call(name))

    async def get_retry_policies(self) -> list[submit_pb2.RetryPolicy]:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.get_retry_policies`."""
        return await self._driver.run(get_retry_policies_call())
