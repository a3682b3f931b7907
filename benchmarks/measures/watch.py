"""The rate at which a job set's watch takes events, beside the bare loops of ``loops``: the same stream and server."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.timings import DEFAULT
from airflow_armada.follow.watch import JobSetWatch
from benchmarks.children import answer
from benchmarks.loopwatch import LoopWatch, until
from benchmarks.servers.replay_server import JOB_SET
from benchmarks.synthetic import QUEUE, job_id


class Silent:
    """A reporter that keeps nothing."""

    def state(self, text: str, at: str = "") -> None:
        """Ignore a line."""

    async def log_lines(self, container: str, lines: Any) -> None:
        """Ignore lines of the log."""


def _jobs(count: int, begin: int = 0) -> list[FollowedJob]:
    now = time.time()
    return [FollowedJob(QUEUE, JOB_SET, job_id(begin + number), now) for number in range(count)]


async def _tracked(target: str, events: int, jobs: list[FollowedJob]) -> dict[str, float]:
    """Fold events into the states of jobs that are tracked."""
    async with open_aio_channel(SiteSettings(target, tls=None)) as channel:
        watch = JobSetWatch(QUEUE, JOB_SET, channel, DEFAULT)
        for job in jobs:
            watch.join(job)
        result = await _timed(watch, events)
        await watch.close()
        return result


async def _followed(target: str, events: int, jobs: list[FollowedJob]) -> dict[str, float]:
    """The same with a follower of each job, which wakes at each event."""
    options = FollowOptions(get_logs=False)
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(shared_site(SiteSettings(target, tls=None)))
        followers = [asyncio.ensure_future(follow(site, job, Silent(), options)) for job in jobs]
        await until(lambda: site.watches, 10, 0)
        result = await _timed(next(iter(site.watches.values())), events)
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return result


async def _timed(watch: JobSetWatch, events: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    with LoopWatch() as loop:
        await until(lambda: watch.stream.events >= events, 120)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "events": events,
        "wall": wall,
        "cpu": cpu,
        "us_per_event": cpu / events * 1e6,
        "rate": events / wall,
        **loop.result(),
    }


def run(target: str, events: int, jobs: int, way: str) -> dict[str, float]:
    """Take the events of the replay server's stream.

    :param target: the replay server
    :param events: how many it sends
    :param jobs: of how many jobs they are
    :param way: ``foreign`` (nobody follows these jobs), ``tracked`` or ``followed``
    """
    followed = _jobs(1, begin=10**9) if way == "foreign" else _jobs(jobs)
    measure = _followed if way == "followed" else _tracked
    return asyncio.run(measure(target, events, followed))


if __name__ == "__main__":
    answer(run)
