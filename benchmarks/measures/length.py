"""What a job costs as it runs longer: the clock of the follower runs faster, the server and the sockets are real."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any

from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.timings import DEFAULT, Timings
from benchmarks.children import answer
from benchmarks.measures.watch import Silent
from benchmarks.servers.control import Control
from benchmarks.synthetic import QUEUE, job_id

UTILISATION = 300.0
"""s between two events of a running pod: the executor's ``utilisationEventReportingInterval``."""

CLOCKLESS = ("look_back", "recent")
"""Timings that are compared with times of the server, which do not run faster."""

SHORTEST = 0.1
"""s below which no timing is shortened: a call and an event take their real time, and must not seem to take minutes."""


def faster(factor: float) -> Timings:
    """Return the follower's waiting times, shortened by a factor."""
    real = {item.name: getattr(DEFAULT, item.name) for item in dataclasses.fields(Timings)}
    changed = {name: max(value / factor, min(value, SHORTEST)) for name, value in real.items() if name not in CLOCKLESS}
    return dataclasses.replace(DEFAULT, **changed)


async def _run_for(control: Control, jobs: list[str], seconds: float, clock: float, silent: bool) -> None:
    """Let running jobs run, with a report of their utilisation every five minutes unless they are silent."""
    end = time.monotonic() + seconds / clock
    while not silent and time.monotonic() + UTILISATION / clock < end:
        await asyncio.sleep(UTILISATION / clock)
        await asyncio.to_thread(control.do, "play", kinds=["utilisation"], rate=1e6, jobs=jobs)
    await asyncio.sleep(max(0.0, end - time.monotonic()))


async def _measure(target: str, jobs: int, seconds: float, clock: float, silent: bool) -> dict[str, Any]:
    control = Control(target)
    control.do("reset")
    control.do("create", job_sets=["long"], jobs=jobs)
    begun = time.time()
    async with shared_site(SiteSettings(target, tls=None), faster(clock)) as site:
        options = FollowOptions(get_logs=False)
        followed = [FollowedJob(JobRef(QUEUE, "long", job_id(number)), begun) for number in range(jobs)]
        tasks = [asyncio.create_task(follow(site, job, Silent(), options)) for job in followed]
        await asyncio.sleep(0.05)
        everybody = [job.job_id for job in followed]
        control.do("play", kinds=["leased", "pending", "running"], rate=1e6, jobs=everybody)
        await _run_for(control, everybody, seconds, clock, silent)
        control.do("play", kinds=["succeeded"], rate=1e6, jobs=everybody)
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        calls = control.do("status")["calls"]
    streams = calls.get("/api.Event/GetJobSetEvents", 0)
    return {
        "jobs": jobs,
        "seconds": seconds,
        "silent": silent,
        "calls": calls,
        "streams": streams,
        "all": sum(calls.values()),
    }


def run(target: str, jobs: int, seconds: float, clock: float, silent: bool) -> dict[str, Any]:
    """Follow jobs of one job set for a time and count the calls.

    :param target: the event server
    :param jobs: how many jobs
    :param seconds: how long they run
    :param clock: how much faster than real time it passes
    :param silent: whether nothing is heard of them while they run
    """
    return asyncio.run(_measure(target, jobs, seconds, clock, silent))


if __name__ == "__main__":
    answer(run)
