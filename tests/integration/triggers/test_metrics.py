"""What the triggers of a process do together, as metrics, against a server on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_armada import _metrics
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.log.budget import LogBudget
from airflow_armada.follow.site import Site, shared_site
from airflow_armada.wait import metrics
from tests.integration.follow.conftest import QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.log.test_log_follower import write
from tests.integration.follow.scripted import scripted_armada
from tests.integration.follow.test_events import run_to

Sent = dict[str, list[Any]]


class RecordingStats:
    """Stands where StatsD or OpenTelemetry would."""

    def __init__(self) -> None:
        self.sent: Sent = {}
        self.tags: dict[str, dict[str, str]] = {}

    def _take(self, name: str, value: Any, *, tags: dict[str, str]) -> None:
        self.sent.setdefault(name, []).append(value)
        self.tags[name] = tags

    incr = gauge = timing = _take


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingStats]:
    recording = RecordingStats()
    monkeypatch.setattr(_metrics, "stats", lambda: recording)
    return recording


async def _start(site: Site, number: int) -> asyncio.Task[Any]:
    return asyncio.create_task(follow(site, a_job(number), Remembering(), FollowOptions(get_logs=False)))


async def test_a_site_tells_what_it_does_while_somebody_follows(stats: RecordingStats) -> None:
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        with metrics.reported(site), metrics.reported(site):
            tasks = [await _start(site, number) for number in (1, 2)]
            await until(lambda: armada.streams == 1)
            for number in (1, 2):
                armada.emit(QUEUE, "set", a_job(number).job_id, "queued")
            await until(lambda: next(iter(site.watches.values())).stream.events == 2)
            await until(lambda: site.snapshots.calls >= 1)
            snapshots = site.snapshots.calls
        for number in (1, 2):
            armada.emit(QUEUE, "set", a_job(number).job_id, "succeeded")
        await asyncio.gather(*tasks)

    assert stats.sent["armada.jobs_followed"][-1] == 2
    assert stats.sent["armada.streams_open"][-1] == 1
    assert sum(stats.sent["armada.events"]) == 2
    assert sum(stats.sent["armada.snapshot_calls"]) >= snapshots
    assert "armada.stream_reconnects" not in stats.sent
    assert 0 <= stats.sent["armada.event_lag"][-1] < 60
    assert stats.tags["armada.events"] == {"site": armada.settings().target.replace(":", "_")}


async def test_a_stream_that_is_opened_again_is_counted(stats: RecordingStats) -> None:
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        with metrics.reported(site):
            task = await _start(site, 1)
            await until(lambda: armada.streams == 1)
            stream = next(iter(site.watches.values())).stream
            stream.reopen()
            await until(lambda: stream.opened == 2)
        task.cancel()

    assert sum(stats.sent["armada.stream_reconnects"]) == 1


async def test_a_log_that_waits_for_the_budget_is_counted(stats: RecordingStats) -> None:
    job = a_job(1)
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        write(armada, job, *(f"line {number}" for number in range(50)))
        budget = LogBudget(lines_per_second=0, burst=5, job_lines_per_second=0, job_burst=5)
        with metrics.reported(site):
            task = asyncio.create_task(follow(site, job, Remembering(), FollowOptions(live_log_budget=budget)))
            run_to(armada, job, "succeeded")
            await task

    assert sum(stats.sent["armada.log_budget_waits"]) > 0


async def test_nothing_is_counted_twice(stats: RecordingStats) -> None:
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        report = metrics.SiteMetrics(site)
        task = await _start(site, 1)
        await until(lambda: armada.streams == 1)
        armada.emit(QUEUE, "set", a_job(1).job_id, "queued", time.time())
        await until(lambda: next(iter(site.watches.values())).stream.events == 1)

        report.report()
        report.report()
        task.cancel()

    assert sum(stats.sent["armada.events"]) == 1


def test_a_metric_that_cannot_be_sent_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def incr(self, *_: Any, **__: Any) -> None:
            raise OSError("no route to host")

    monkeypatch.setattr(_metrics, "stats", Broken)

    _metrics.incr(_metrics.JOB_END, status="succeeded")


def test_airflows_own_stats_take_all_kinds() -> None:
    stats = _metrics.stats()

    stats.incr(_metrics.EVENTS, 3, tags={"site": "a:1"})
    stats.gauge(_metrics.JOBS_FOLLOWED, 2, tags={"site": "a:1"})
    _metrics.timing(_metrics.SUBMIT, 0.25, queue="q")
