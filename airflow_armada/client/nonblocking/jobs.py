"""Submitting, cancelling, preempting and reprioritizing jobs: the methods for asyncio code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import empty_pb2, health_pb2, submit_pb2
from airflow_armada.client.drivers import AsyncDriver
from airflow_armada.client.operations import jobs as operations
from airflow_armada.client.typings import JobState


class AsyncJobMethods:
    """Submitting, cancelling, preempting and reprioritizing jobs."""

    _driver: AsyncDriver

    async def submit_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the submit service whether it serves; passes through authentication, so it checks credentials too.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.submit_health`.
        """
        return await self._driver.run(operations.submit_health())

    async def event_health(self) -> health_pb2.HealthCheckResponse:
        """Ask the event service whether it serves.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.event_health`.
        """
        return await self._driver.run(operations.event_health())

    async def submit_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_request_items: Iterable[submit_pb2.JobSubmitRequestItem],
        *,
        trust_client_ids: bool = True,
    ) -> submit_pb2.JobSubmitResponse:
        """Submit jobs, in as many requests as the server's limit of 4 MiB asks for.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.submit_jobs`.
        """
        return await self._driver.run(
            operations.submit_jobs(queue, job_set_id, job_request_items, trust_client_ids=trust_client_ids)
        )

    async def cancel_jobs(
        self,
        queue: str,
        job_set_id: str,
        job_id: str | None = None,
        *,
        job_ids: Iterable[str] | None = None,
        reason: str = "",
    ) -> submit_pb2.CancellationResult:
        """Cancel jobs by id. The server answers before it acts, and does not check that the ids exist.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.cancel_jobs`.
        """
        return await self._driver.run(operations.cancel_jobs(queue, job_set_id, job_id, job_ids=job_ids, reason=reason))

    async def cancel_jobset(
        self, queue: str, job_set_id: str, filter_states: Iterable[JobState], *, reason: str = ""
    ) -> empty_pb2.Empty:
        """Cancel the jobs of a job set that exist when the server comes to it.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.cancel_jobset`.
        """
        return await self._driver.run(operations.cancel_jobset(queue, job_set_id, filter_states, reason=reason))

    async def reprioritize_jobs(
        self, new_priority: float, job_ids: list[str] | None, job_set_id: str, queue: str
    ) -> submit_pb2.JobReprioritizeResponse:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.reprioritize_jobs`: change the priority of jobs."""
        return await self._driver.run(operations.reprioritize_jobs(new_priority, job_ids, job_set_id, queue))

    async def preempt_jobs(
        self, queue: str, job_set_id: str, job_id: str | None, *, job_ids: Iterable[str] | None = None, reason: str = ""
    ) -> submit_pb2.PreemptionResult:
        """Preempt jobs: takes effect on running jobs of a preemptible priority class only.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.preempt_jobs`.
        """
        return await self._driver.run(
            operations.preempt_jobs(queue, job_set_id, job_id, job_ids=job_ids, reason=reason)
        )
