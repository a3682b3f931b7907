"""The oldest and the middle Airflow that the provider supports, real ones, each in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.postgres import airflow_database
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

LOOKOUT = "http://lookout.example"


@pytest.fixture(scope="session")
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=4, memory="8Gi") as server:
        server.create_queue("example")
        yield server


@pytest.fixture(scope="session")
def client(armada: StandaloneArmada) -> Iterator[ArmadaClient]:
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        yield ArmadaClient(channel)


@pytest.fixture(scope="session")
def run(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagRun]:
    """One run of everything, side by side."""
    folder, dags = tmp_path_factory.mktemp("airflow"), [Path(__file__).parent / "dags"]
    env = {"AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target, lookout_url=LOOKOUT)}
    with airflow_database() as url, AirflowStack(folder, dags, armada.target, env=env, database_url=url) as airflow:
        yield airflow.api.trigger("ways")
