"""One real Airflow and one embedded Armada, shared by all end-to-end tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.postgres import airflow_database
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
LOOKOUT = "http://lookout.example"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def armada() -> Iterator[StandaloneArmada]:
    """An embedded Armada of 4 CPUs, in this process, so that tests can count its calls."""
    with StandaloneArmada(cpus=4, memory="8Gi") as server:
        server.create_queue("example")
        yield server


@pytest.fixture(scope="session")
def airflow(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Airflow with the example DAGs and those in ``dags/``, its connection leading to ``armada``."""
    folder = tmp_path_factory.mktemp("airflow")
    dags = [ROOT / "example_dags", Path(__file__).parent / "dags"]
    env = {
        "AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target, lookout_url=LOOKOUT),
        "AIRFLOW__ARMADA__CONNECTION_CACHE_TTL": "3",
    }
    with airflow_database() as url, AirflowStack(folder, dags, armada.target, env=env, database_url=url) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def client(armada: StandaloneArmada) -> Iterator[ArmadaClient]:
    """Somebody else who uses the same Armada."""
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        yield ArmadaClient(channel)
