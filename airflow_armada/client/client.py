"""The client for blocking code."""

from __future__ import annotations

from datetime import timedelta
from weakref import WeakSet

import grpc

from airflow_armada.client.calls.call import CallPolicy
from airflow_armada.client.calls.drivers import Driver
from airflow_armada.client.calls.executors import ExecutorMethods
from airflow_armada.client.calls.jobs import JobMethods
from airflow_armada.client.calls.queries import QueryMethods
from airflow_armada.client.calls.queues import QueueMethods
from airflow_armada.client.calls.retry_policies import RetryPolicyMethods
from airflow_armada.client.channel import open_channel
from airflow_armada.client.events.requests import MISSING_GRACE, StreamRequests
from airflow_armada.client.events.streams import EventStream
from airflow_armada.client.requests import RequestBuilders
from airflow_armada.client.settings import SiteSettings


class ArmadaClient(JobMethods, QueryMethods, QueueMethods, RetryPolicyMethods, ExecutorMethods, RequestBuilders):
    """Talks to an Armada server. Every call has a deadline, and is tried again where that is safe.

    It can be shared by threads. Errors of calls are :class:`~airflow_armada.client.errors.ArmadaRpcError`.

    :param channel: from :func:`~airflow_armada.client.channel.open_channel`, or any other gRPC channel
    :param event_timeout: the longest that an event stream stays on one connection before it is opened again
    :param call_timeout: s, the deadline of one attempt of a call
    :param retry_timeout: s, after which a call is not tried again; 0 for a single attempt
    :param command_timeout: s, the deadline of calls that submit, cancel, preempt or reprioritize: the server answers
        them through its message bus, and while that is away it blocks, and carries them out even if we give up
    """

    def __init__(
        self,
        channel: grpc.Channel,
        event_timeout: timedelta = timedelta(minutes=15),
        *,
        call_timeout: float = 10.0,
        retry_timeout: float = 30.0,
        command_timeout: float = 240.0,
    ) -> None:
        self.event_timeout = event_timeout
        self._channel = channel
        self._streams: WeakSet[EventStream] = WeakSet()
        self._driver = Driver(channel, CallPolicy(call_timeout, retry_timeout, command_timeout))

    @classmethod
    def open(cls, settings: SiteSettings, *, retry_timeout: float = 30.0) -> ArmadaClient:
        """Return a client of a site, with the site's deadlines and a channel of its own, to be closed.

        :param settings: the Armada site
        :param retry_timeout: s, after which a call is not tried again; 0 where the caller has a patience of its own
        :raises SettingsError: when the site cannot be used as it is
        """
        return cls(
            open_channel(settings),
            call_timeout=settings.call_timeout,
            retry_timeout=retry_timeout,
            command_timeout=settings.command_timeout,
        )

    def get_job_events_stream(
        self,
        queue: str,
        job_set_id: str,
        from_message_id: str | None = None,
        *,
        missing_grace: timedelta = MISSING_GRACE,
        end_with_server: bool = False,
    ) -> EventStream:
        """Watch the events of a job set: first those that have been, then each new one as it comes.

        The stream opens itself again after the last message whenever its connection breaks, and has no end of its own:
        call ``unwatch_events``, or use it in a ``with`` statement. What the server refuses is raised, at every try.

        :param queue: the queue
        :param job_set_id: the job set
        :param from_message_id: continue after the message of this id; None for the beginning
        :param missing_grace: how long to wait for a queue or job set that does not exist (yet)
        :param end_with_server: end the iteration when the server ends the stream, instead of opening it again
        :return: an iterator of messages
        """
        requests = StreamRequests(
            queue,
            job_set_id,
            from_message_id or "",
            self.event_timeout,
            missing_grace,
            end_with_server=end_with_server,
        )
        stream = EventStream(self._channel, requests)
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Close the channel. Iterations over streams of this client end, and its calls that still run fail."""
        for stream in list(self._streams):
            stream.cancel()
        self._channel.close()

    def __enter__(self) -> ArmadaClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
