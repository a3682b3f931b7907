"""One chaos world for the session; every module can run several times (``CHAOS_TIMES``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.world import World
from tests.support.postgres import find_postgres
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

TIMES = int(os.environ.get("CHAOS_TIMES", "1"))
HEARTBEAT = float(os.environ.get("CHAOS_HEARTBEAT", "1"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if find_postgres() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed; with SQLite its locking would hide or invent faults")
    with World(tmp_path_factory.mktemp("chaos"), HEARTBEAT) as world:
        yield world


@pytest.fixture(scope="module", params=range(TIMES), ids=lambda number: f"round{number + 1}")
def chaos_round(request: pytest.FixtureRequest) -> int:
    """Number of the repetition; a module's runs are made anew for each."""
    return int(request.param)


@pytest.fixture(scope="module")
def world(_world: World, chaos_round: int) -> World:
    """The world, for one round of a module."""
    return _world


@pytest.fixture(autouse=True)
def _heal(request: pytest.FixtureRequest) -> Iterator[None]:
    """End every fault after each case, whatever came of it."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").heal()
