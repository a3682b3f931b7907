"""The client for asyncio code."""

from __future__ import annotations

from datetime import timedelta
from weakref import WeakSet

import grpc.aio

from airflow_armada.client.calls.call import CallPolicy
from airflow_armada.client.calls.drivers import AsyncDriver
from airflow_armada.client.calls.executors import AsyncExecutorMethods
from airflow_armada.client.calls.jobs import AsyncJobMethods
from airflow_armada.client.calls.queries import AsyncQueryMethods
from airflow_armada.client.calls.queues import AsyncQueueMethods
from airflow_armada.client.calls.retry_policies import AsyncRetryPolicyMethods
from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.events.requests import MISSING_GRACE, StreamRequests
from airflow_armada.client.events.streams import AsyncEventStream
from airflow_armada.client.requests import RequestBuilders
from airflow_armada.client.settings import SiteSettings


class ArmadaAsyncIOClient(
    AsyncJobMethods,
    AsyncQueryMethods,
    AsyncQueueMethods,
    AsyncRetryPolicyMethods,
    AsyncExecutorMethods,
    RequestBuilders,
):
    """Talks to an Armada server from asyncio code; otherwise as :class:`~airflow_armada.client.client.ArmadaClient`.

    :param channel: from :func:`~airflow_armada.client.channel.open_aio_channel`, or any other asyncio gRPC channel; it
        belongs to the event loop that it was made in
    :param event_timeout: the longest that an event stream stays on one connection before it is opened again
    :param call_timeout: s, the deadline of one attempt of a call
    :param retry_timeout: s, after which a call is not tried again; 0 for a single attempt
    :param command_timeout: s, the deadline of calls that submit, cancel, preempt or reprioritize: the server answers
        them through its message bus, and while that is away it blocks, and carries them out even if we give up
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        event_timeout: timedelta = timedelta(minutes=15),
        *,
        call_timeout: float = 10.0,
        retry_timeout: float = 30.0,
        command_timeout: float = 240.0,
    ) -> None:
        self.event_timeout = event_timeout
        self._channel = channel
        self._streams: WeakSet[AsyncEventStream] = WeakSet()
        self._driver = AsyncDriver(channel, CallPolicy(call_timeout, retry_timeout, command_timeout))

    @classmethod
    def open(cls, settings: SiteSettings, *, retry_timeout: float = 30.0) -> ArmadaAsyncIOClient:
        """See :meth:`~airflow_armada.client.client.ArmadaClient.open`."""
        return cls(
            open_aio_channel(settings),
            call_timeout=settings.call_timeout,
            retry_timeout=retry_timeout,
            command_timeout=settings.command_timeout,
        )

    async def get_job_events_stream(
        self,
        queue: str,
        job_set_id: str,
        from_message_id: str | None = None,
        *,
        missing_grace: timedelta = MISSING_GRACE,
        end_with_server: bool = False,
    ) -> AsyncEventStream:
        """Watch the events of a job set: first those that have been, then each new one as it comes.

        For details see :meth:`~airflow_armada.client.client.ArmadaClient.get_job_events_stream`.
        """
        requests = StreamRequests(
            queue,
            job_set_id,
            from_message_id or "",
            self.event_timeout,
            missing_grace,
            end_with_server=end_with_server,
        )
        stream = AsyncEventStream(self._channel, requests)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Close the channel. Iterations over streams of this client end, and its calls that still run fail."""
        for stream in list(self._streams):
            stream.cancel()
        await self._channel.close()

    async def __aenter__(self) -> ArmadaAsyncIOClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
