"""Following many jobs at once, the whole of it: calls, time to wake, CPU and memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import Site, shared_site
from benchmarks.children import answer
from benchmarks.loopwatch import LoopWatch, resident_bytes, until
from benchmarks.servers.control import Control
from benchmarks.stats import percentile
from benchmarks.synthetic import QUEUE, job_id

AGE = 3600.0
"""How long ago the jobs were submitted, in s: the followers are those of a triggerer that has just been restarted."""

PER_TURN = 500
"""How many followers are started in one turn of the loop; Airflow starts 50 triggers in one, unless told otherwise."""

IDLE = 3.0


class Noting:
    """A reporter that notes when it was told what.

    :param job: the job's id
    :param woken: where to note the moment, by job and kind of event
    """

    __slots__ = ("_job", "_woken", "heard")

    def __init__(self, job: str, woken: dict[str, float]) -> None:
        self._job, self._woken, self.heard = job, woken, False

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Note a line about the job's state."""
        self.heard = True
        for sign, kind in ((" is leased", "leased"), (" is starting", "pending"), (" is running", "running")):
            if sign in text:
                self._woken[f"{self._job} {kind}"] = time.monotonic()

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Ignore lines of the log."""


async def _follow(site: Site, job: FollowedJob, reporter: Noting, woken: dict[str, float]) -> str:
    outcome = await follow(site, job, reporter, FollowOptions(get_logs=False))
    woken[f"{job.job_id} succeeded"] = time.monotonic()
    return outcome.status


async def _bare(event: asyncio.Event) -> str:
    await event.wait()
    return ""


async def _floor(jobs: int) -> float:
    """Return the bytes that a task costs which only waits, as every trigger of Airflow has one."""
    event = asyncio.Event()
    before = resident_bytes()
    tasks = [asyncio.create_task(_bare(event)) for _ in range(jobs)]
    await asyncio.sleep(0.1)
    after = resident_bytes()
    event.set()
    await asyncio.gather(*tasks)
    return (after - before) / jobs


class Run:
    """One measurement.

    :param target: the event server
    :param jobs: how many jobs
    :param job_sets: in how many job sets
    """

    def __init__(self, target: str, jobs: int, job_sets: int) -> None:
        self.control = Control(target)
        self.settings = SiteSettings(target, tls=None)
        self.jobs, self.job_sets = jobs, job_sets
        self.woken: dict[str, float] = {}
        self.result: dict[str, Any] = {"jobs": jobs, "job_sets": job_sets}

    async def prepare(self, history: int) -> list[FollowedJob]:
        """Make the jobs, and load everything that is imported or opened at the first use."""
        self.control.do("reset")
        warm = self.control.do("create", job_sets=["warm"], jobs=1, kind="succeeded", first=10**8, age=AGE)
        job = FollowedJob(JobRef(QUEUE, "warm", warm["jobs"]["warm"][0]), warm["now"])
        async with shared_site(self.settings) as site:
            await follow(site, job, Noting("", {}), FollowOptions(get_logs=False))
        names = [f"set-{number}" for number in range(self.job_sets)]
        begun = self.control.do("create", job_sets=names, jobs=self.jobs, age=AGE)["now"]
        if history:
            self.control.do("history", job_set=names[0], events=history, seconds=86_400)
        self.control.do("forget")
        return [FollowedJob(JobRef(QUEUE, names[n % self.job_sets], job_id(n)), begun) for n in range(self.jobs)]

    async def start(self, site: Site, jobs: list[FollowedJob]) -> list[asyncio.Task[str]]:
        """Start all followers, as a restarted triggerer does, and wait until each knows where its job stands."""
        reporters = [Noting(job.job_id, self.woken) for job in jobs]
        before, cpu, wall = resident_bytes(), time.process_time(), time.monotonic()
        tasks: list[asyncio.Task[str]] = []
        with LoopWatch() as loop:
            for number, (job, reporter) in enumerate(zip(jobs, reporters, strict=True), start=1):
                tasks.append(asyncio.create_task(_follow(site, job, reporter, self.woken)))
                if number % PER_TURN == 0:
                    await asyncio.sleep(0)
            await until(lambda: reporters[-1].heard and all(reporter.heard for reporter in reporters), 120, 0.05)
            await until(lambda: len(site.watches) >= self.job_sets, 60)
        self.result |= {"start_wall": time.monotonic() - wall, "start_cpu": time.process_time() - cpu}
        self.result |= loop.result("start_")
        await until(lambda: self.control.do("status")["watching"] >= self.job_sets, 60, 0.1)
        self.result["bytes_per_job"] = (resident_bytes() - before) / len(jobs)
        return tasks

    async def idle(self) -> None:
        """Measure what doing nothing costs."""
        cpu = time.process_time()
        await asyncio.sleep(IDLE)
        self.result["idle_cpu_share"] = (time.process_time() - cpu) / IDLE

    async def play(self, tasks: list[asyncio.Task[str]], kinds: list[str], rate: float) -> None:
        """Let the jobs go on to their end, and measure how soon the followers wake."""
        cpu = time.process_time()
        with LoopWatch() as loop:
            order = {"kinds": kinds, "rate": rate, "jobs": [job_id(number) for number in range(self.jobs)]}
            events = (await asyncio.to_thread(self.control.do, "play", **order))["events"]
            statuses = await asyncio.wait_for(asyncio.gather(*tasks), events / rate * 2 + 60)
        cpu = time.process_time() - cpu
        sent = self.control.do("sent")
        waits = [self.woken[key] - moment for key, moment in sent.items() if key in self.woken]
        self.result |= {
            "events": events,
            "wakes": len(waits),
            "succeeded": sum(status == "succeeded" for status in statuses),
            "us_per_event": cpu / events * 1e6,
            "p50": percentile(waits, 50),
            "p99": percentile(waits, 99),
            "max": max(waits),
            **loop.result(),
        }


async def _measure(target: str, jobs: int, job_sets: int, kinds: list[str], rate: float, history: int) -> Any:
    run = Run(target, jobs, job_sets)
    followed = await run.prepare(history)
    run.result["floor_bytes_per_job"] = await _floor(jobs)
    async with shared_site(run.settings) as site:
        tasks = await run.start(site, followed)
        if kinds:
            await run.idle()
            await run.play(tasks, kinds, rate)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    calls = run.control.do("status")["calls"]
    streams = calls.get("/api.Event/GetJobSetEvents", 0)
    run.result |= {"calls": calls, "streams_per_set": streams / job_sets, "calls_per_job": sum(calls.values()) / jobs}
    return run.result


def run(
    target: str, jobs: int, job_sets: int, kinds: list[str], rate: float = 500.0, history: int = 0
) -> dict[str, Any]:
    """Follow jobs that were submitted an hour ago and are queued, to their end.

    :param target: the event server
    :param jobs: how many jobs
    :param job_sets: in how many job sets
    :param kinds: the events that each job gets, the last one its end; empty to measure the start only
    :param rate: events a second, over all jobs
    :param history: events of other jobs that the first job set holds already
    """
    return dict(asyncio.run(_measure(target, jobs, job_sets, kinds, rate, history)))


if __name__ == "__main__":
    answer(run)
