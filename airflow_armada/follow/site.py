"""What all followers of one Armada site share within an event loop: channels, watches, snapshots, log readers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from airflow_armada.client.errors import ArmadaError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow import snapshot, tasks
from airflow_armada.follow.budget import TokenBucket
from airflow_armada.follow.channels import SiteCalls, StreamChannels
from airflow_armada.follow.gate import Gate
from airflow_armada.follow.health import look_after
from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.log_service import SiteLogs
from airflow_armada.follow.origin import FileState, Origin, tls_files
from airflow_armada.follow.sweep import Sweeper
from airflow_armada.follow.texts import scheduler_reason
from airflow_armada.follow.timings import DEFAULT, Timings
from airflow_armada.follow.tracked import TrackedJob
from airflow_armada.follow.watch import JobSetWatch

logger = logging.getLogger(__name__)

STARTS_AT_ONCE = 50
"""Followers that begin in one turn of the event loop, so that a restarted triggerer does not block it."""

REPORTS_PER_SECOND = 1.0
"""Requests for the scheduler's reasons, over all jobs of a site."""


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
        self.sweeper = Sweeper(self._calls, self.watches, timings)
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

    async def details(self, job_id: str) -> Any:
        """Ask the query API for a job at once, alone; None when it does not know it, or does not answer."""
        self.sweeper.calls += 1
        try:
            found = (await self._calls.get_job_details([job_id])).job_details.get(job_id)
        except ArmadaError:
            return None
        return found if snapshot.known(found) else None

    async def explain(self, job_id: str) -> str:
        """Ask the scheduler why a job waits; "" when it does not say, or when too much was asked already."""
        if self._reports.available(time.monotonic()) < 1:
            return ""
        self._reports.take(1)
        try:
            return scheduler_reason(await self._calls.get_job_report(job_id))
        except ArmadaError:
            return ""

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
        retiring = tasks.spawn(_close_after(grace, closers), f"armada site {settings.target} changes")
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """End all tasks, let cancelled calls drain, and close the channels."""
        await tasks.end(*self._tasks, *self._retiring)
        await asyncio.gather(*(watch.close() for watch in self.watches.values()))
        self.watches.clear()
        # grpc 1.62 and 1.76 hang when the loop ends right after many streams were cancelled.
        await asyncio.sleep(min(0.5, 0.001 * self._streams.streams))
        await asyncio.gather(self._calls.channel.close(), self._streams.close(), self.logs.close())

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


async def _close_after(seconds: float, closers: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Close channels when the calls that were under way on them have ended: closing cancels calls."""
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.gather(*(close() for close in closers))


_Key = tuple[asyncio.AbstractEventLoop, Timings, object]


class _Shared:
    """A site, how many use it, what keeps its settings current, and the timer that closes it when nobody uses it."""

    def __init__(self, key: _Key, site: Site, origin: Origin | None) -> None:
        self.key = key
        self.site = site
        self.users = 0
        self.closing: asyncio.Task[None] | None = None
        self.keeping = tasks.spawn(_keep_current(self, origin), f"armada origin {origin.name}") if origin else None


_SITES: dict[_Key, _Shared] = {}


def _key(settings: SiteSettings, timings: Timings, origin: Origin | None) -> _Key:
    return asyncio.get_running_loop(), timings, (origin.name, settings.target) if origin else settings


@asynccontextmanager
async def shared_site(
    settings: SiteSettings, timings: Timings = DEFAULT, origin: Origin | None = None
) -> AsyncIterator[Site]:
    """Use the site for some settings in the running event loop, together with everybody else who does.

    It stays open for a short while after the last user has left.

    :param settings: the Armada site
    :param timings: waiting times
    :param origin: where the settings come from, if they may change while the site is used
    :raises SettingsError: when the settings cannot be used
    """
    for gone in [key for key in _SITES if key[0].is_closed()]:
        del _SITES[gone]
    key = _key(settings, timings, origin)
    shared = _SITES.get(key)
    if shared is None:
        shared = _SITES[key] = _Shared(key, Site(settings, timings), origin)
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
            shared.closing = tasks.spawn(_close_later(shared), f"armada site {settings.target} closes")


async def _keep_current(shared: _Shared, origin: Origin) -> None:
    """Read the settings again and again, one reading for all who use the site, and go on with what has changed."""
    said = ""
    while True:
        await asyncio.sleep(origin.interval)
        try:
            settings = await origin.read()
            if shared.site.outdated(settings, await asyncio.to_thread(tls_files, settings)):
                _change(shared, settings, origin)
            said = ""
        except Exception as error:
            if str(error) != said:
                said = str(error)
                logger.warning("%s cannot be read again, so it is used as it was: %s", origin.name, said)


def _change(shared: _Shared, settings: SiteSettings, origin: Origin) -> None:
    shared.site.use(settings)
    logger.info("%s has changed; jobs at %s are followed with it as it is now", origin.name, settings.target)
    if _SITES.get(shared.key) is shared:
        del _SITES[shared.key]
    shared.key = _key(settings, shared.site.timings, origin)
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
    await tasks.end(shared.keeping)
    await shared.site.close()
