"""Every Airflow that the provider supports, a real one, each in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.e2e.conftest import LOOKOUT, armada, client  # noqa: F401  (fixtures)
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.postgres import airflow_database
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)


@pytest.fixture(scope="session")
def run(
    armada: StandaloneArmada,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DagRun]:
    """One run of everything, side by side."""
    folder, dags = tmp_path_factory.mktemp("airflow"), [Path(__file__).parent / "dags"]
    env = {
        "AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target, lookout_url=LOOKOUT),
        "AIRFLOW_CONN_ARMADA_BY_URI": f"armada://{armada.target}/?tls=false&binoculars={quote(armada.target)}",
    }
    with airflow_database() as url, AirflowStack(folder, dags, armada.target, env=env, database_url=url) as airflow:
        yield airflow.api.trigger("ways")
