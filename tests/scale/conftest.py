"""One Airflow on PostgreSQL for the session, and an embedded Armada with room for all jobs."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.scale.fleet import QUEUE, SHORT, Fleet
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.postgres import find_postgres, private_postgres
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

N = int(os.environ.get("SCALE_N", "300"))
FULL = N > 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def armada() -> Iterator[StandaloneArmada]:
    if find_postgres() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed; with SQLite its locking would hide or invent faults")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * N + 2000)), hard))
    with StandaloneArmada(cpus=64, memory="64Gi") as server:
        server.create_queue(QUEUE)
        yield server


@pytest.fixture(scope="session")
def airflow(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    folder = tmp_path_factory.mktemp("scale")
    env = {
        "SCALE_N": str(N),
        "AIRFLOW__TRIGGERER__CAPACITY": str(2 * N),
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "100",
        "AIRFLOW__CORE__MAX_MAP_LENGTH": str(2 * N),
        "AIRFLOW__ARMADA__CONNECTION_CACHE_TTL": "5",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    }
    dags = [Path(__file__).parent / "dags"]
    with private_postgres() as url, AirflowStack(folder, dags, armada.target, env=env, database_url=url) as airflow:
        # The bystander's connection is in the database: its trigger asks the supervisor for it, behind all others.
        connection = json.loads(armada_connection(armada.target))
        connection |= {"connection_id": "stored", "extra": json.dumps(connection["extra"])}
        airflow.api.call("POST", "/connections", connection)
        airflow.api.call("POST", "/pools", {"name": "nobody", "slots": 0, "include_deferred": False})
        yield airflow


@pytest.fixture
def fleet(airflow: AirflowStack, armada: StandaloneArmada) -> Iterator[Callable[..., Fleet]]:
    """Make a fleet, and clear it away after the test."""
    made: list[Fleet] = []

    def make(count: int = N, *, end_in_trigger: bool = False, script: str = SHORT) -> Fleet:
        made.append(Fleet(airflow, armada, count, end_in_trigger=end_in_trigger, script=script))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Note something that was measured: shown at once, and kept in the report of the stage."""

    def note(name: str, value: float) -> None:
        record_property(name, round(value, 1))
        print(f"{name}: {value:.1f}")

    return note
