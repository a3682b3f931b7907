"""Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons, for asyncio code."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_armada.api import job_pb2
from airflow_armada.client.drivers import AsyncDriver
from airflow_armada.client.operations import queries as operations


class AsyncQueryMethods:
    """Asking for the state, the errors and the runs of jobs, and for the scheduler's reasons."""

    _driver: AsyncDriver

    async def get_job_status(self, job_ids: Iterable[str]) -> job_pb2.JobStatusResponse:
        """Ask for the states of jobs. A job that the query database does not know, perhaps not yet, is UNKNOWN.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_job_status`.
        """
        return await self._driver.run(operations.get_job_status(job_ids))

    async def get_job_status_by_external_job_uri(
        self, queue: str, job_set_id: str, external_job_uri: str
    ) -> job_pb2.JobStatusResponse:
        """Ask for the states of the jobs that were submitted with an external job URI.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_job_status_by_external_job_uri`.
        """
        return await self._driver.run(
            operations.get_job_status_by_external_job_uri(queue, job_set_id, external_job_uri)
        )

    async def get_job_errors(self, job_ids: Iterable[str]) -> job_pb2.JobErrorsResponse:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_job_errors`: ask why jobs failed."""
        return await self._driver.run(operations.get_job_errors(job_ids))

    async def get_job_details(
        self, job_ids: Iterable[str], *, expand_job_spec: bool = False, expand_job_run: bool = True
    ) -> job_pb2.JobDetailsResponse:
        """As :meth:`~airflow_armada.client.client.ArmadaClient.get_job_details`: ask for all that is known of jobs."""
        return await self._driver.run(
            operations.get_job_details(job_ids, expand_job_spec=expand_job_spec, expand_job_run=expand_job_run)
        )

    async def get_job_run_details(self, run_ids: Iterable[str]) -> job_pb2.JobRunDetailsResponse:
        """Ask for all that is known of runs of jobs.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_job_run_details`.
        """
        return await self._driver.run(operations.get_job_run_details(run_ids))

    async def get_active_queues(self) -> job_pb2.GetActiveQueuesResponse:
        """Ask which queues have jobs leased, pending or running.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_active_queues`.
        """
        return await self._driver.run(operations.get_active_queues())

    async def get_job_report(self, job_id: str) -> str:
        """Ask the scheduler what it thought of a job in its recent rounds: why it waits.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_job_report`.
        """
        return await self._driver.run(operations.get_job_report(job_id))

    async def get_queue_report(self, queue: str, verbosity: int = 0) -> str:
        """Ask the scheduler what it did with a queue in its recent rounds.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_queue_report`.
        """
        return await self._driver.run(operations.get_queue_report(queue, verbosity))

    async def get_scheduling_report(self, *, queue: str = "", job_id: str = "", verbosity: int = 0) -> str:
        """Ask the scheduler about its recent rounds.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_scheduling_report`.
        """
        return await self._driver.run(operations.get_scheduling_report(queue=queue, job_id=job_id, verbosity=verbosity))
