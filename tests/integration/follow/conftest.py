"""A scripted server, short waiting times and a reporter that remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.timings import Timings
from tests.integration.follow.scripted import ScriptedArmada, scripted_armada

QUEUE, JOB_SET = "q", "set"

QUICK = Timings(
    linger=0.2,
    tick=0.05,
    first_back_off=0.02,
    max_back_off=0.1,
    idle=30.0,
    snapshot_window=0.05,
    sweep_tick=0.1,
    sweep=0.5,
    max_sweep=1.0,
    degraded_sweep=0.2,
    lost_grace=0.5,
    refused_grace=60.0,
    settle=0.1,
    outage_notice=0.3,
    log_interval=0.05,
    max_log_interval=0.2,
    log_tail=2.0,
    budget_tail=0.5,
    deadline_grace=30.0,
)


class Remembering:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.lines: list[tuple[str, str, str]] = []

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        self.states.append(text)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        self.lines += [(container, timestamp, text) for timestamp, text in lines]

    @property
    def texts(self) -> list[str]:
        return [text for _, _, text in self.lines]


def a_job(number: int = 1, *, job_set: str = JOB_SET, submitted_at: float | None = None) -> FollowedJob:
    return FollowedJob(JobRef(QUEUE, job_set, f"{number:026d}"), time.time() if submitted_at is None else submitted_at)


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
async def armada() -> AsyncIterator[ScriptedArmada]:
    async with scripted_armada() as server:
        yield server


@pytest.fixture
def reporter() -> Remembering:
    return Remembering()
