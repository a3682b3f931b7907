"""Submitting a job and following it to its end, as a trigger does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import follow
from airflow_armada.follow.site import shared_site
from airflow_armada.jobs.job_forms import read_jobs
from tests.support.sites import SCRIPT


def counting(seconds: int, pause: float = 1.0) -> str:
    """Return a program for a job that counts, with a pause after each number."""
    return f"import time; [(print(n, flush=True), time.sleep({pause})) for n in range({seconds})]"


class Remembering:
    """Keeps the lines of a job's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def state(self, text: str, at: str = "", level: str = "info") -> None: ...

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        self.lines += [text for _, text in lines]


def submitted(settings: SiteSettings, program: str) -> FollowedJob:
    """Submit a job that runs a Python program."""
    file = read_jobs(SCRIPT.replace("print('hello from the job')", program), "test")
    with ArmadaClient(open_channel(settings)) as client:
        (answer,) = client.submit_jobs("q", "set", file.items).job_response_items
    return FollowedJob(JobRef("q", "set", answer.job_id), time.time(), containers=("main",))


def followed(settings: SiteSettings, job: FollowedJob, timeout: float = 90.0) -> tuple[str, list[str]]:
    """Follow a job, and return how it ended and what it logged."""
    reporter = Remembering()

    async def to_the_end() -> str:
        async with shared_site(settings) as site:
            return (await follow(site, job, reporter)).status

    return asyncio.run(asyncio.wait_for(to_the_end(), timeout)), reporter.lines
