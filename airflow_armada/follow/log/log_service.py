"""The log services of a site: one in each cluster, and a limit on how much is asked of each at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.log_client import JobLogAsyncIOClient
from airflow_armada.client.log_cursor import Line
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob

LOG_CALLS = 8
"""Log calls at a time to one log service."""

READERS = 200
"""Followed logs up to which each is looked at as often as it should; more of them share that many calls."""


_AT_ONCE = 2000
"""Lines taken out of an answer in one turn of the event loop: a full page has 20,000, which is 50 ms."""


class SiteLogs:
    """Reads pages of logs from each cluster's log service, a few at a time.

    :param settings: the Armada site
    """

    def __init__(self, settings: SiteSettings) -> None:
        self.calls = 0
        self.readers = 0
        self.budget_waits = 0
        self._settings = settings
        self._services: dict[str, tuple[Any, JobLogAsyncIOClient, asyncio.Semaphore]] = {}

    def use(self, settings: SiteSettings) -> list[Any]:
        """Read all further pages with other settings.

        :return: the channels that were used so far, with the calls that are under way
        """
        old, self._services = self._services, {}
        self._settings = settings
        return [channel for channel, _, _ in old.values()]

    def available(self, cluster: str) -> bool:
        """Whether a log service is known for a cluster."""
        return bool(self._settings.binoculars_target(cluster))

    def pace(self) -> float:
        """Return how many times slower than usual to look for new lines, because very many do."""
        return max(1.0, self.readers / READERS)

    async def page(self, cluster: str, job: FollowedJob, container: str, since_time: str) -> Sequence[Line]:
        """Read one page of a container's log.

        :raises ArmadaError: when the service does not give it
        """
        _, client, slots = self._service(self._settings.binoculars_target(cluster))
        async with slots:
            self.calls += 1
            answer = await client.page(job.job_id, namespace=job.namespace, container=container, since_time=since_time)
            lines: list[Line] = []
            for begin in range(0, len(answer), _AT_ONCE):
                lines.extend(Line(line.timestamp, line.line) for line in answer[begin : begin + _AT_ONCE])
                await asyncio.sleep(0)
        return lines

    def _service(self, target: str) -> tuple[Any, JobLogAsyncIOClient, asyncio.Semaphore]:
        if target not in self._services:
            channel = open_aio_channel(self._settings, target, log_service=True)
            self._services[target] = channel, self._client(channel), asyncio.Semaphore(LOG_CALLS)
        return self._services[target]

    def _client(self, channel: Any) -> JobLogAsyncIOClient:
        # Whoever follows a log comes back anyway: a call that fails is not repeated at once.
        return JobLogAsyncIOClient(channel, call_timeout=self._settings.call_timeout, retry_timeout=0)

    async def close(self) -> None:
        """Close all channels."""
        await asyncio.gather(*(channel.close() for channel, _, _ in self._services.values()))
