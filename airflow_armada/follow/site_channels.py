"""The channels to one site's server: one for unary calls, and as many for streams as it takes."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.settings import SiteSettings

STREAMS_PER_CHANNEL = 80
"""Proxies commonly allow about 100 streams in a connection, and let more of them wait without a word."""


class SiteCalls:
    """The unary calls that following needs. Whoever holds this goes on when the settings change.

    :param settings: the Armada site
    """

    def __init__(self, settings: SiteSettings) -> None:
        self.channel: Any = None
        self.use(settings)

    def use(self, settings: SiteSettings) -> Any:
        """Make all further calls with other settings.

        :return: the channel that was used so far, with the calls that are under way
        :raises SettingsError: when they cannot be used; the old ones stay in use
        """
        old, self.channel = self.channel, open_aio_channel(settings)
        # Whoever follows a job comes back anyway: a call that fails is not repeated at once.
        self._client = ArmadaAsyncIOClient(self.channel, call_timeout=settings.call_timeout, retry_timeout=0)
        return old

    async def get_job_details(self, job_ids: Any) -> Any:
        """See :meth:`ArmadaAsyncIOClient.get_job_details`."""
        return await self._client.get_job_details(job_ids)

    async def get_annotations(self, job_id: str) -> dict[str, str]:
        """Ask for the annotations that a job was submitted with."""
        answer = await self._client.get_job_details([job_id], expand_job_spec=True, expand_job_run=False)
        return dict(answer.job_details[job_id].job_spec.annotations) if job_id in answer.job_details else {}

    async def get_job_errors(self, job_ids: Any) -> Any:
        """See :meth:`ArmadaAsyncIOClient.get_job_errors`."""
        return await self._client.get_job_errors(job_ids)

    async def get_job_report(self, job_id: str) -> Any:
        """See :meth:`ArmadaAsyncIOClient.get_job_report`."""
        return await self._client.get_job_report(job_id)

    async def get_queue_report(self, queue: str) -> str:
        """See :meth:`ArmadaAsyncIOClient.get_queue_report`."""
        return await self._client.get_queue_report(queue)

    async def get_queue(self, name: str) -> Any:
        """See :meth:`ArmadaAsyncIOClient.get_queue`."""
        return await self._client.get_queue(name)


class StreamChannels:
    """Channels for streams; unary calls have one of their own.

    :param settings: the Armada site
    """

    def __init__(self, settings: SiteSettings) -> None:
        self.streams = 0
        self._settings = settings
        self._users: dict[Any, int] = {}

    def take(self) -> Any:
        """Return a channel for one more stream."""
        self.streams += 1
        for channel, users in self._users.items():
            if users < STREAMS_PER_CHANNEL:
                self._users[channel] = users + 1
                return channel
        channel = open_aio_channel(self._settings, own_connection=True)
        self._users[channel] = 1
        return channel

    async def give_back(self, channel: Any) -> None:
        """Say that a stream has ended; a channel without streams is closed."""
        if channel not in self._users:
            return  # of settings that are used no longer
        self.streams -= 1
        self._users[channel] -= 1
        if not self._users[channel]:
            del self._users[channel]
            await channel.close()

    async def close(self) -> None:
        """Close all channels."""
        await asyncio.gather(*(channel.close() for channel in self._users))
