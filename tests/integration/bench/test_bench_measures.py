"""The measurements run, at tiny sizes: what they count is right. Their times are nobody's business here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.children import Service, measure

EVENTS, JOBS = 600, 100


@pytest.fixture(scope="module")
def replay() -> Iterator[Service]:
    with Service("-m", "benchmarks.servers.replay_server", str(EVENTS), str(JOBS)) as server:
        yield server


@pytest.fixture
def events() -> Iterator[Service]:
    with Service("-m", "benchmarks.servers.event_server") as server:
        yield server


@pytest.mark.parametrize("loop", ["sync parsed", "sync alone slim", "aio raw", "aio slim"])
def test_a_bare_loop_receives_the_whole_stream(replay: Service, loop: str) -> None:
    assert measure("benchmarks.measures.loops", target=replay.target, loop=loop)["events"] == EVENTS


@pytest.mark.parametrize("way", ["foreign", "tracked", "followed"])
def test_a_watch_receives_the_whole_stream(replay: Service, way: str) -> None:
    wanted = {"target": replay.held, "release": replay.hello["release"], "events": EVENTS, "jobs": JOBS}

    found = measure("benchmarks.measures.watch", way=way, **wanted)

    assert found["events"] == EVENTS


def test_followers_wake_for_events(events: Service) -> None:
    kinds = ["leased", "pending", "running", "succeeded"]

    found = measure("benchmarks.measures.followers", target=events.target, jobs=20, job_sets=4, kinds=kinds, rate=1000)

    assert (found["events"], found["succeeded"]) == (80, 20)
    assert 20 <= found["wakes"] <= 80  # on a busy machine, events of a job that arrive together wake it once
    assert found["streams_per_set"] == 1


def test_a_long_history_is_not_read(events: Service) -> None:
    wanted: dict[str, Any] = {"target": events.target, "jobs": 5, "job_sets": 1, "kinds": [], "history": 100_000}

    assert measure("benchmarks.measures.followers", **wanted)["streams_per_set"] == 1


def test_no_line_is_lost(events: Service) -> None:
    found = measure("benchmarks.measures.logs", target=events.target, jobs=3, seconds=2, rate=20, budget=True)

    assert found["lines"] == 120
    assert (found["lost"], found["twice"], found["disordered"]) == (0, 0, 0)


@pytest.mark.parametrize("way", ["bare in parts", "client", "bare one by one", "client one by one"])
def test_all_jobs_are_submitted(events: Service, way: str) -> None:
    assert measure("benchmarks.measures.submit", target=events.target, jobs=30, way=way)["rate"] > 0


def test_a_job_of_minutes_costs_no_call_but_its_stream(events: Service) -> None:
    found = measure("benchmarks.measures.length", target=events.target, jobs=1, seconds=120, clock=60, silent=True)

    assert (found["streams"], found["all"]) == (1, 1)
