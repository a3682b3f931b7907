"""What all followers of one Armada site share within an event loop: channels, watches, snapshots, log readers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.errors import ArmadaError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow import tasks
from airflow_armada.follow.budget import TokenBucket
from airflow_armada.follow.gate import Gate
from airflow_armada.follow.health import look_after
from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.log_service import SiteLogs
from airflow_armada.follow.sweep import Sweeper
from airflow_armada.follow.texts import scheduler_reason
from airflow_armada.follow.timings import DEFAULT, Timings
from airflow_armada.follow.tracked import TrackedJob
from airflow_armada.follow.watch import JobSetWatch

logger = logging.getLogger(__name__)

STREAMS_PER_CHANNEL = 80
"""Proxies commonly allow about 100 streams in a connection, and let more of them wait without a word."""

STARTS_AT_ONCE = 50
"""Followers that begin in one turn of the event loop, so that a restarted triggerer does not block it."""

REPORTS_PER_SECOND = 1.0
"""Requests for the scheduler's reasons, over all jobs of a site."""


class Site:
    """Shared by all followers with equal settings in one event loop; get it from :func:`shared_site`.

    :param settings: the Armada site
    :param timings: waiting times
    """

    def __init__(self, settings: SiteSettings, timings: Timings = DEFAULT) -> None:
        self.settings = settings
        self.timings = timings
        self.watches: dict[tuple[str, str], JobSetWatch] = {}
        self.logs = SiteLogs(settings)
        self._calls = open_aio_channel(settings)
        self._streams = StreamChannels(settings)
        self._client = ArmadaAsyncIOClient(self._calls, call_timeout=settings.call_timeout, retry_timeout=0)
        self.sweeper = Sweeper(self._client, self.watches, timings)
        self._gate = Gate(STARTS_AT_ONCE)
        self._reports = TokenBucket(REPORTS_PER_SECOND, 20)
        self._tasks = (
            tasks.spawn(self.sweeper.run(), f"armada snapshots {settings.target}"),
            tasks.spawn(self._look_after(), f"armada site {settings.target}"),
        )

    async def admit(self) -> None:
        """Wait for one's turn to begin following: many who come at once begin a few at a time."""
        await self._gate.pass_through()

    def join(self, job: FollowedJob) -> tuple[JobSetWatch, TrackedJob]:
        """Begin to follow a job; answered by ``watch.leave(tracked)``."""
        key = (job.queue, job.job_set_id)
        watch = self.watches.get(key)
        if watch is None:
            watch = self.watches[key] = JobSetWatch(*key, self._streams.take(), self.timings)
        tracked = watch.join(job)
        if tracked.followers == 1:
            self.sweeper.joined(watch, tracked)
        return watch, tracked

    async def explain(self, job_id: str) -> str:
        """Ask the scheduler why a job waits; "" when it does not say, or when too much was asked already."""
        if self._reports.available(time.monotonic()) < 1:
            return ""
        self._reports.take(1)
        try:
            return scheduler_reason(await self._client.get_job_report(job_id))
        except ArmadaError:
            return ""

    async def close(self) -> None:
        """End all tasks, let cancelled calls drain, and close the channels."""
        await tasks.end(*self._tasks)
        await asyncio.gather(*(watch.close() for watch in self.watches.values()))
        self.watches.clear()
        # grpc 1.62 and 1.76 hang when the loop ends right after many streams were cancelled.
        await asyncio.sleep(min(0.5, 0.001 * self._streams.streams))
        await asyncio.gather(self._calls.close(), self._streams.close(), self.logs.close())

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self.timings.tick)
            try:
                unused = await look_after(self.watches.values(), self.sweeper, self.settings.target, self.timings)
                await self._close_unused(unused)
            except Exception:
                logger.exception("Looking after the watches of %s failed; it is tried again", self.settings.target)

    async def _close_unused(self, unused: Iterable[JobSetWatch]) -> None:
        for watch in unused:
            # Somebody may have joined it while another one was being closed.
            if watch.unused_since is not None:
                del self.watches[watch.queue, watch.job_set_id]
                await watch.close()
                await self._streams.give_back(watch.channel)


class StreamChannels:
    """Channels for streams, as many as it takes; unary calls have one of their own.

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
        self.streams -= 1
        self._users[channel] -= 1
        if not self._users[channel]:
            del self._users[channel]
            await channel.close()

    async def close(self) -> None:
        """Close all channels."""
        await asyncio.gather(*(channel.close() for channel in self._users))


class _Shared:
    """A site, how many use it, and the timer that closes it when nobody does."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.users = 0
        self.closing: asyncio.Task[None] | None = None


_SITES: dict[tuple[asyncio.AbstractEventLoop, SiteSettings, Timings], _Shared] = {}


@asynccontextmanager
async def shared_site(settings: SiteSettings, timings: Timings = DEFAULT) -> AsyncIterator[Site]:
    """Use the site for some settings in the running event loop, together with everybody else who does.

    It stays open for a short while after the last user has left.

    :param settings: the Armada site
    :param timings: waiting times
    """
    loop = asyncio.get_running_loop()
    for gone in [key for key in _SITES if key[0].is_closed()]:
        del _SITES[gone]
    key = (loop, settings, timings)
    shared = _SITES.get(key)
    if shared is None:
        shared = _SITES[key] = _Shared(Site(settings, timings))
    shared.users += 1
    if shared.closing:
        shared.closing.cancel()
        shared.closing = None
    try:
        yield shared.site
    finally:
        shared.users -= 1
        if not shared.users:
            shared.closing = tasks.spawn(_close_later(key, shared), f"armada site {settings.target} closes")


async def _close_later(key: tuple[asyncio.AbstractEventLoop, SiteSettings, Timings], shared: _Shared) -> None:
    try:
        await asyncio.sleep(shared.site.timings.linger)
    except asyncio.CancelledError:
        if shared.users:
            raise
    # Nobody uses it, or the loop is being ended: either way this is the time to close.
    if _SITES.get(key) is shared:
        del _SITES[key]
    await shared.site.close()
