"""The rate at which a job set's watch takes events, beside the bare loops of ``loops``: the same stream and server."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc

from airflow_armada.client.channel import open_aio_channel
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.timings import DEFAULT
from benchmarks.children import answer
from benchmarks.loopwatch import LoopWatch, until
from benchmarks.measures.loops import costs
from benchmarks.servers.replay_server import JOB_SET
from benchmarks.synthetic import QUEUE, job_id


class Silent:
    """A reporter that keeps nothing."""

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Ignore a line."""

    async def log_lines(self, container: str, lines: Any) -> None:
        """Ignore lines of the log."""


def _jobs(count: int, begin: int = 0) -> list[FollowedJob]:
    now = time.time()
    return [FollowedJob(JobRef(QUEUE, JOB_SET, job_id(begin + number)), now) for number in range(count)]


async def _tracked(run: Run, jobs: list[FollowedJob]) -> dict[str, float]:
    """Fold events into the states of jobs that are tracked."""
    async with open_aio_channel(SiteSettings(run.target, tls=None)) as channel:
        watch = JobSetWatch(QUEUE, JOB_SET, channel, DEFAULT)
        for job in jobs:
            watch.join(job)
        result = await run.timed(watch)
        await watch.close()
        return result


async def _followed(run: Run, jobs: list[FollowedJob]) -> dict[str, float]:
    """The same with a follower of each job, which has something to say at each event."""
    options = FollowOptions(get_logs=False)
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(shared_site(SiteSettings(run.target, tls=None)))
        followers = [asyncio.ensure_future(follow(site, job, Silent(), options)) for job in jobs]
        await until(lambda: site.watches and len(next(iter(site.watches.values())).jobs) == len(jobs), 60)
        result = await run.timed(next(iter(site.watches.values())))
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return result


@dataclass(frozen=True)
class Run:
    """One measurement: where the stream comes from, how many events it has, and which port lets it begin."""

    target: str
    release: int
    events: int

    async def timed(self, watch: JobSetWatch) -> dict[str, float]:
        """Let the stream begin, and measure until all of it was taken."""
        await until(lambda: watch.channel.get_state() is grpc.ChannelConnectivity.READY, 10)
        wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
        with LoopWatch() as loop:
            socket.create_connection(("127.0.0.1", self.release)).close()
            await until(lambda: watch.stream.events >= self.events, 120)
        wall, cpu, own = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - own
        return {"wall": wall, "cpu": cpu, **costs(self.events, wall, cpu, own), **loop.result()}


def run(target: str, release: int, events: int, jobs: int, way: str) -> dict[str, float]:
    """Take the events of the replay server's stream.

    :param target: the replay server, where it holds its streams
    :param release: the port that lets them begin
    :param events: how many it sends
    :param jobs: of how many jobs they are
    :param way: ``foreign`` (nobody follows these jobs), ``tracked`` or ``followed``
    """
    followed = _jobs(1, begin=10**9) if way == "foreign" else _jobs(jobs)
    measure = _followed if way == "followed" else _tracked
    return asyncio.run(measure(Run(target, release, events), followed))


if __name__ == "__main__":
    answer(run)
