"""One Airflow on PostgreSQL for the session, and an embedded Armada with room for all jobs."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.scale.fleet import Fleet, IdleFleet
from tests.scale.jobs import BLOCKING, QUEUE, SHORT
from tests.scale.loop_probe import read
from tests.scale.task_run import TaskRun
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.postgres import find_postgres, private_postgres
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

N = int(os.environ.get("SCALE_N", "300"))
FULL = N > 300
ROOT = Path(__file__).resolve().parents[2]
Figure = Callable[[str, float], None]


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
def airflow(
    armada: StandaloneArmada,
    tmp_path_factory: pytest.TempPathFactory,
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[AirflowStack]:
    record_testsuite_property("tasks", N)
    record_testsuite_property("airflow", version("apache-airflow-core"))
    folder = tmp_path_factory.mktemp("scale")
    env = {
        "PYTHONPATH": str(ROOT),
        "SCALE_N": str(N),
        "SCALE_BLOCKS": str(folder / "blocks"),
        "AIRFLOW__TRIGGERER__CAPACITY": str(2 * N),
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "100",
        "AIRFLOW__CORE__MAX_MAP_LENGTH": str(2 * N),
        "AIRFLOW__CORE__PARALLELISM": str(BLOCKING + 8),
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
        airflow.api.trigger("watch").wait_for_task("watch", "deferred", deadline=120)
        yield airflow


class Fleets:
    """Makes runs of many tasks, and clears them away."""

    def __init__(self, airflow: AirflowStack, armada: StandaloneArmada, made: ExitStack) -> None:
        self._airflow, self._armada, self._made = airflow, armada, made

    def deferred(self, count: int = N, *, end_in_trigger: bool = False, script: str = SHORT) -> Fleet:
        """Make deferred tasks with a job each."""
        fleet = Fleet(self._airflow, self._armada, count, end_in_trigger=end_in_trigger, script=script)
        self._made.callback(fleet.close)
        return fleet

    def idle(self) -> IdleFleet:
        """Make deferred tasks without a job."""
        fleet = IdleFleet(self._airflow, self._armada, N)
        self._made.callback(fleet.close)
        return fleet

    def blocking(self) -> TaskRun:
        """Make tasks that wait on workers."""
        run = TaskRun(self._airflow, self._armada, "blocking", BLOCKING)
        self._made.callback(run.close)
        return run


@pytest.fixture
def fleets(airflow: AirflowStack, armada: StandaloneArmada) -> Iterator[Fleets]:
    """Make runs of many tasks, which are cleared away after the test."""
    with ExitStack() as made:
        yield Fleets(airflow, armada, made)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Note something that was measured: shown at once, and kept in the report of the stage."""

    def note(name: str, value: float) -> None:
        record_property(name, round(value, 1))
        print(f"{name}: {value:.1f}", flush=True)

    return note


@pytest.fixture(autouse=True)
def _blocks(airflow: AirflowStack, figure: Figure) -> Iterator[None]:
    """Note how long the loop of the triggerer stood still meanwhile, and because of whom."""
    begun = time.time()
    figure("load of the machine at first", os.getloadavg()[0])
    yield
    blocks = read(Path(airflow.environment["SCALE_BLOCKS"]), begun)
    figure("s of the longest late turn of the triggerer's loop", max((one.seconds for one in blocks), default=0))
    figure("ms of the longest callback of ours", 1000 * max((one.longest for one in blocks), default=0))
    figure("ms of ours in one turn", 1000 * max((one.ours for one in blocks), default=0))
    for one in sorted(blocks, key=lambda one: -one.ours)[:5]:
        print(one)
