"""Reading the logs of a job from Binoculars, the log service of its cluster.

What the service does (``internal/binoculars/service/logs.go``): it has no follow mode, gives at most 2 MB from the
start of the range that is asked for, and cuts that start down to a whole second.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from airflow_armada.api import binoculars_pb2, core_v1_pb2
from airflow_armada.api.methods import Binoculars
from airflow_armada.client.address import parse_address
from airflow_armada.client.auth.credentials import Anonymous, Credentials
from airflow_armada.client.calls.call import READS, Call, CallPolicy
from airflow_armada.client.calls.drivers import AsyncDriver, Driver
from airflow_armada.client.channel import open_channel
from airflow_armada.client.log_cursor import Line, LogCursor, Position
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.timestamps import nanoseconds

logger = logging.getLogger(__name__)


@dataclass
class LogLine:
    """A line of a log.

    :param line: its text
    :param timestamp: when it was written, RFC 3339 with up to 9 digits of a second
    """

    line: str
    timestamp: str


def logs_page(
    job_id: str, *, namespace: str, container: str, since_time: str = "", pod_number: int = 0
) -> Call[list[binoculars_pb2.LogLine]]:
    """Describe one call of the log service."""
    # Without log_options, even empty ones, the service fails.
    options = core_v1_pb2.PodLogOptions(container=container) if container else core_v1_pb2.PodLogOptions()
    request = binoculars_pb2.LogRequest(
        job_id=job_id,
        pod_number=pod_number,
        pod_namespace=namespace,
        since_time=since_time,
        log_options=options,
    )
    return Call(Binoculars.LOGS, (request,), lambda answers: list(answers[0].log), repeatable=READS)


class LogPager:
    """Says from where each page of a log is asked for, and which of its lines are new.

    :param since_time: RFC 3339; only what comes after the last line of that time is new; "" for all
    :raises ValueError: when it is not RFC 3339; the service would take that for the beginning
    """

    def __init__(self, since_time: str = "") -> None:
        if since_time and not nanoseconds(since_time):
            raise ValueError(f"{since_time!r} is not an RFC 3339 time such as 2026-11-22T10:20:30Z")
        self._cursor = LogCursor(Position(since_time, sys.maxsize))
        self.finished = False

    @property
    def since_time(self) -> str:
        """The time to ask from; "" for the beginning."""
        return self._cursor.since

    def take(self, lines: Sequence[binoculars_pb2.LogLine]) -> Sequence[Line]:
        """Return the new lines of a page, and move on.

        :param lines: all that the service gave for ``since_time``
        """
        before = self.since_time
        page = self._cursor.read([Line(line.timestamp, line.line) for line in lines])
        if page.has_news:
            self._cursor.move(page, len(page.lines))
        if page.skips:
            logger.warning("More than 2 MB of log in one second, at %s: the rest of it is skipped", before)
        self.finished = not page.more or (page.skips and self.since_time == before)
        return page.lines[page.start :]


class JobLogClient:
    """Reads the logs of one job.

    :param url: ``host:port`` of the log service; ``https://`` or ``http://`` in front turns TLS on or off
    :param job_id: the job
    :param disable_ssl: whether to talk plain text
    :param credentials: what to authenticate with
    :param namespace: Kubernetes namespace of the job's pod
    :param container: the container; needed where the pod has more than one
    :param pod_number: number of the pod within the job
    :param tls: how to verify the service, unless ``disable_ssl``
    :param allow_plaintext_credentials: send credentials even though the connection is plain text
    :param call_timeout: s, the deadline of one attempt of a call
    :param retry_timeout: s, after which a call is not tried again
    :raises ValueError: when the address makes no sense
    """

    def __init__(
        self,
        url: str,
        job_id: str,
        disable_ssl: bool = False,
        *,
        credentials: Credentials | None = None,
        namespace: str = "default",
        container: str = "",
        pod_number: int = 0,
        tls: TlsSettings | None = None,
        allow_plaintext_credentials: bool = False,
        call_timeout: float = 10.0,
        retry_timeout: float = 30.0,
    ) -> None:
        self.job_id = job_id
        self.url = url
        self.namespace = namespace
        self.container = container
        self.pod_number = pod_number
        address = parse_address(url, "the address of the log service")
        plain = disable_ssl if address.plain is None else address.plain
        settings = SiteSettings(
            target=address.target,
            tls=None if plain else tls or TlsSettings(),
            credentials=credentials or Anonymous(),
            allow_plaintext_credentials=allow_plaintext_credentials,
        )
        self._channel = open_channel(settings, log_service=True)
        self._driver = Driver(self._channel, CallPolicy(call_timeout, retry_timeout))

    def logs(self, since_time: str | None = "") -> list[LogLine]:
        """Return the log, in as many pages as it takes.

        To continue, pass the timestamp of the last line: only lines after it are returned.

        :param since_time: RFC 3339; "" or None for the beginning
        :raises ArmadaRpcError: with the code NOT_FOUND when the pod is gone
        :raises ValueError: when the time is not RFC 3339; the service would take that for the beginning
        """
        pager = LogPager(since_time or "")
        lines: list[LogLine] = []
        while not pager.finished:
            page = self._driver.run(
                logs_page(
                    self.job_id,
                    namespace=self.namespace,
                    container=self.container,
                    since_time=pager.since_time,
                    pod_number=self.pod_number,
                )
            )
            lines += [LogLine(line.line.decode("utf-8", "replace"), line.timestamp) for line in pager.take(page)]
        return lines

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> JobLogClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JobLogAsyncIOClient:
    """Reads pages of logs of any job of a cluster from asyncio code.

    :param channel: from ``open_aio_channel(settings, target, log_service=True)``
    :param call_timeout: s, the deadline of one attempt of a call
    :param retry_timeout: s, after which a call is not tried again; 0 for a single attempt
    """

    def __init__(self, channel: grpc.aio.Channel, *, call_timeout: float = 10.0, retry_timeout: float = 30.0) -> None:
        self._driver = AsyncDriver(channel, CallPolicy(call_timeout, retry_timeout))

    async def page(
        self, job_id: str, *, namespace: str, container: str, since_time: str = "", pod_number: int = 0
    ) -> list[binoculars_pb2.LogLine]:
        """Make one call of the log service, and return its lines as they came, with ``line`` as bytes.

        :param job_id: the job
        :param namespace: Kubernetes namespace of its pod
        :param container: the container; "" only where the pod has a single one
        :param since_time: RFC 3339; the service begins with the whole second that it is in
        :param pod_number: number of the pod within the job
        :raises ArmadaRpcError: with the code NOT_FOUND when the pod is gone
        """
        return await self._driver.run(
            logs_page(job_id, namespace=namespace, container=container, since_time=since_time, pod_number=pod_number)
        )
