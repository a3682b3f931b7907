"""What all followers of one Armada site share within an event loop: channels, watches, snapshots, log readers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow import background
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.log.log_service import SiteLogs
from airflow_armada.follow.queue_reasons import QueueReasons
from airflow_armada.follow.settings_source import FileState, SettingsSource, tls_files
from airflow_armada.follow.site_channels import SiteCalls, StreamChannels
from airflow_armada.follow.start_pace import StartPace
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.outages import look_after
from airflow_armada.follow.stream.snapshots import Snapshots
from airflow_armada.follow.stream.tracked_job import TrackedJob
from airflow_armada.follow.timings import DEFAULT, Timings

logger = logging.getLogger(__name__)

STARTS_AT_ONCE = 50
"""Followers that begin in one turn of the event loop, so that a restarted triggerer does not block it."""


class Site:
    """Shared by all of its followers in one event loop; get it from :func:`shared_site`.

    :param settings: the Armada site
    :param timings: waiting times
    """

    def __init__(self, settings: SiteSettings, timings: Timings = DEFAULT) -> None:
        self.settings = settings
        self._tls_files = tls_files(settings)
        self.timings = timings
        self.watches: dict[tuple[str, str], JobSetWatch] = {}
        self.logs = SiteLogs(settings)
        self._calls = SiteCalls(settings)
        self._streams = StreamChannels(settings)
        self._retiring: set[asyncio.Task[None]] = set()
        self.snapshots = Snapshots(self._calls, self.watches, timings)
        self._pace = StartPace(STARTS_AT_ONCE)
        self.queue_reasons = QueueReasons(self._calls)
        self._tasks = (
            background.spawn(self.snapshots.run(), f"armada snapshots {settings.target}"),
            background.spawn(self._look_after(), f"armada site {settings.target}"),
        )

    async def admit(self) -> None:
        """Wait for one's turn to begin following: many who come at once begin a few at a time."""
        await self._pace.pass_through()

    def join(self, job: FollowedJob) -> tuple[JobSetWatch, TrackedJob]:
        """Begin to follow a job; answered by ``watch.leave(tracked)``."""
        key = (job.ref.queue, job.ref.job_set_id)
        watch = self.watches.get(key)
        if watch is None:
            watch = self.watches[key] = JobSetWatch(*key, self._streams.take(), self.timings)
        tracked = watch.join(job)
        if tracked.followers == 1:
            self.snapshots.joined(watch, tracked)
        return watch, tracked

    @property
    def silent(self) -> bool:
        """Whether nothing has come from the server for long, on any watch."""
        return bool(self.watches) and all(watch.announced for watch in self.watches.values())

    def outdated(self, settings: SiteSettings, files: tuple[FileState, ...]) -> bool:
        """Whether the site should go on with the settings and the TLS files that there are now.

        Another address may be another Armada, which does not know the jobs: it is not worth a thought while this one
        still answers.
        """
        if settings.target != self.settings.target and not self.silent:
            return False
        return settings != self.settings or files != self._tls_files

    def use(self, settings: SiteSettings) -> None:
        """Go on with other settings: streams from where they stand, logs from the lines that were shown last.

        :param settings: the settings
        :raises SettingsError: when they cannot be used; the old ones stay in use
        """
        files = tls_files(settings)
        old_calls, old_streams = self._calls.use(settings), self._streams
        self._streams = StreamChannels(settings)
        for watch in self.watches.values():
            watch.use(self._streams.take())
        old_logs = self.logs.use(settings)
        self.settings, self._tls_files = settings, files
        closers = [old_calls.close, old_streams.close, *(channel.close for channel in old_logs)]
        grace = settings.call_timeout + self.timings.replay
        retiring = background.spawn(_close_after(grace, closers), f"armada site {settings.target} changes")
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """End all tasks, let cancelled calls drain, and close the channels."""
        await background.end(*self._tasks, *self._retiring)
        await self.queue_reasons.close()
        await asyncio.gather(*(watch.close() for watch in self.watches.values()))
        self.watches.clear()
        # grpc 1.62 and 1.76 hang when the loop ends right after many streams were cancelled.
        await asyncio.sleep(min(0.5, 0.001 * self._streams.streams))
        await asyncio.gather(self._calls.channel.close(), self._streams.close(), self.logs.close())

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self.timings.tick)
            try:
                unused = await look_after(self.watches.values(), self.snapshots, self.settings.target, self.timings)
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


async def _close_after(seconds: float, closers: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Close channels when the calls that were under way on them have ended: closing cancels calls."""
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.gather(*(close() for close in closers))


_Key = tuple[asyncio.AbstractEventLoop, Timings, object]


class _Shared:
    """A site, how many use it, what keeps its settings current, and the timer that closes it when nobody uses it."""

    def __init__(self, key: _Key, site: Site, source: SettingsSource | None) -> None:
        self.key = key
        self.site = site
        self.users = 0
        self.closing: asyncio.Task[None] | None = None
        self.keeping = background.spawn(_keep_current(self, source), f"armada source {source.name}") if source else None


_SITES: dict[_Key, _Shared] = {}


def _key(settings: SiteSettings, timings: Timings, source: SettingsSource | None) -> _Key:
    return asyncio.get_running_loop(), timings, (source.name, settings.target) if source else settings


@asynccontextmanager
async def shared_site(
    settings: SiteSettings, timings: Timings = DEFAULT, source: SettingsSource | None = None
) -> AsyncIterator[Site]:
    """Use the site for some settings in the running event loop, together with everybody else who does.

    It stays open for a short while after the last user has left.

    :param settings: the Armada site
    :param timings: waiting times
    :param source: where the settings come from, if they may change while the site is used
    :raises SettingsError: when the settings cannot be used
    """
    for gone in [key for key in _SITES if key[0].is_closed()]:
        del _SITES[gone]
    key = _key(settings, timings, source)
    shared = _SITES.get(key)
    if shared is None:
        shared = _SITES[key] = _Shared(key, Site(settings, timings), source)
    elif shared.site.outdated(settings, tls_files(settings)):
        shared.site.use(settings)
    shared.users += 1
    if shared.closing:
        shared.closing.cancel()
        shared.closing = None
    try:
        yield shared.site
    finally:
        shared.users -= 1
        if not shared.users:
            shared.closing = background.spawn(_close_later(shared), f"armada site {settings.target} closes")


async def _keep_current(shared: _Shared, source: SettingsSource) -> None:
    """Read the settings again and again, one reading for all who use the site, and go on with what has changed."""
    said = ""
    while True:
        await asyncio.sleep(source.interval)
        try:
            settings = await source.read()
            if shared.site.outdated(settings, await asyncio.to_thread(tls_files, settings)):
                _change(shared, settings, source)
            said = ""
        except Exception as error:
            if str(error) != said:
                said = str(error)
                logger.warning("%s cannot be read again, so it is used as it was: %s", source.name, said)


def _change(shared: _Shared, settings: SiteSettings, source: SettingsSource) -> None:
    shared.site.use(settings)
    logger.info("%s has changed; jobs at %s are followed with it as it is now", source.name, settings.target)
    if _SITES.get(shared.key) is shared:
        del _SITES[shared.key]
    shared.key = _key(settings, shared.site.timings, source)
    _SITES.setdefault(shared.key, shared)


async def _close_later(shared: _Shared) -> None:
    try:
        await asyncio.sleep(shared.site.timings.linger)
    except asyncio.CancelledError:
        if shared.users:
            raise
    # Nobody uses it, or the loop is being ended: either way this is the time to close.
    if _SITES.get(shared.key) is shared:
        del _SITES[shared.key]
    await background.end(shared.keeping)
    await shared.site.close()
