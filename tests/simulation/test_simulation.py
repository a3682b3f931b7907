"""Lives of a task under virtual time: none breaks a rule, and each rule that is taken away is missed."""

from __future__ import annotations

import os
import secrets
import time

import pytest

from tests.simulation.__main__ import report
from tests.simulation.coverage import PAIRS
from tests.simulation.drawing import draw
from tests.simulation.life import live, shrunk
from tests.simulation.mutations import MUTATIONS, misses

FOUND = {
    190332633054: "a try that timed out while the bus was away cancelled one of two copies of the submission before it",
    190332634315: "a last try that timed out while it submitted left the job that the bus had published for another",
}
"""Seeds of lives that have gone wrong, and what was wrong."""

SECONDS = float(os.environ.get("SIMULATE_SECONDS", "0"))


MET: set[tuple[str, str]] = set()
"""Pairs of option and fault that have met in the lives of :data:`FIXED`."""

FIXED = range(400)


def check(seed: int) -> None:
    record = live(draw(seed))
    if seed in FIXED:
        MET.update(record.met)
    if record.broken:
        small = shrunk(draw(seed))
        pytest.fail(report(small, live(small)))


def test_a_life_can_be_repeated_from_its_seed() -> None:
    assert live(draw(9)).table == live(draw(9)).table


@pytest.mark.parametrize("first", FIXED[::20])
def test_lives_of_the_same_seeds_each_time(first: int) -> None:
    for seed in range(first, first + 20):
        check(seed)


def test_options_and_faults_have_met(request: pytest.FixtureRequest) -> None:
    """Read :mod:`tests.simulation.coverage` for what counts; ``make simulate`` lists the pairs that have never met."""
    chosen = [item for item in request.session.items if "lives_of_the_same_seeds" in item.name]
    if len(chosen) < len(FIXED) / 20 or "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("not all of the lives were lived in this process")
    assert len(MET & PAIRS) >= 0.8 * len(PAIRS)


@pytest.mark.parametrize("seed", FOUND)
def test_a_life_that_has_found_a_fault(seed: int) -> None:
    check(seed)


@pytest.mark.timeout(0)
@pytest.mark.skipif(
    not SECONDS, reason="SIMULATE_SECONDS is not set: what is pushed is judged by the same lives each time"
)
def test_fresh_lives() -> None:
    first, until = secrets.randbelow(1 << 40), time.monotonic() + SECONDS
    seed = first
    while time.monotonic() < until:
        check(seed)
        seed += 1
    assert seed > first


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_taken_away_is_missed(name: str) -> None:
    assert misses(name), "its life needs it no more; `make simulate MUTATIONS=1` looks among others"
