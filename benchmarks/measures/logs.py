"""Showing the logs of many jobs that write at once: is anything lost, how late is it, is the loop blocked?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.log.budget import LogBudget
from airflow_armada.follow.log.rest_of_log import fetch_remaining_logs
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.state.outcome import Outcome
from benchmarks.children import answer
from benchmarks.loopwatch import LoopWatch
from benchmarks.servers.control import Control
from benchmarks.stats import summary
from benchmarks.synthetic import QUEUE, job_id

WORKERS = 8


class Reading:
    """A reporter that notes which lines came, and how late the live ones were."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.lags: list[float] = []

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Ignore a line about the job's state."""

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Note lines of the log."""
        now = time.time()
        for stamp, text in lines:
            self.numbers.append(int(text.split()[1]))
            self.lags.append(now - datetime.fromisoformat(stamp[:26] + "+00:00").timestamp())


async def _measure(target: str, jobs: int, seconds: float, rate: float, budget: bool) -> dict[str, Any]:
    control = Control(target)
    control.do("reset")
    control.do("create", job_sets=["logs"], jobs=jobs, kind="running")
    now = time.time()
    settings = SiteSettings(target, tls=None, binoculars=target)
    followed = [FollowedJob(JobRef(QUEUE, "logs", job_id(number)), now) for number in range(jobs)]
    readers = [Reading() for _ in followed]
    live = LogBudget() if budget else None
    cpu = time.process_time()
    async with shared_site(settings) as site:
        with LoopWatch() as loop:
            options = FollowOptions(live_log_budget=live)
            pairs = zip(followed, readers, strict=True)
            tasks = [asyncio.create_task(follow(site, job, reader, options)) for job, reader in pairs]
            written = control.do("write", seconds=seconds, rate=rate)
            await asyncio.sleep(seconds)
            ended = time.monotonic()
            control.do("play", kinds=["succeeded"], rate=1e6, jobs=[job.job_id for job in followed])
            outcomes = await asyncio.wait_for(asyncio.gather(*tasks), 120)
            ended = time.monotonic() - ended
    cpu = time.process_time() - cpu
    shown_live = sum(len(reader.numbers) for reader in readers)
    lags = [lag for reader in readers for lag in reader.lags]
    remaining = await _finish(settings, followed, outcomes, readers)
    calls = control.do("status")["calls"]["/binoculars.Binoculars/Logs"]
    control.do("reset")
    expected = list(range(written["lines"]))
    return {
        "jobs": jobs,
        "lines": jobs * written["lines"],
        "live": shown_live,
        "lost": sum(len(set(expected) - set(reader.numbers)) for reader in readers),
        "twice": sum(len(reader.numbers) - len(set(reader.numbers)) for reader in readers),
        "disordered": sum(reader.numbers != sorted(reader.numbers) for reader in readers),
        "lag": summary(lags),
        "end": ended,
        "remaining": remaining,
        "calls_per_job_and_second": calls / jobs / seconds,
        "cpu_share": cpu / seconds,
        **loop.result(),
    }


async def _finish(
    settings: SiteSettings, followed: list[FollowedJob], outcomes: Sequence[Outcome], readers: list[Reading]
) -> float:
    """Print what the budget kept back, as the workers do that finish the tasks; return how long that took, in s."""
    slots = asyncio.Semaphore(WORKERS)
    begun = time.monotonic()

    async def one(job: FollowedJob, outcome: Outcome, reader: Reading) -> None:
        async with slots:
            await fetch_remaining_logs(settings, job, outcome, reader)

    await asyncio.gather(*(one(*each) for each in zip(followed, outcomes, readers, strict=True)))
    return time.monotonic() - begun


def run(target: str, jobs: int, seconds: float, rate: float, budget: bool) -> dict[str, Any]:
    """Follow jobs and their logs.

    :param target: the event server, which is the log service too
    :param jobs: how many
    :param seconds: for how long they write
    :param rate: lines a second of each
    :param budget: whether live lines are limited, as in a triggerer
    """
    return asyncio.run(_measure(target, jobs, seconds, rate, budget))


if __name__ == "__main__":
    answer(run)
