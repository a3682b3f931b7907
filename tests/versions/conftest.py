"""Every Airflow that the provider supports, a real one, each in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.e2e.conftest import LOOKOUT, armada, client  # noqa: F401  (fixtures)
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.airflow_versions import AIRFLOW
from tests.support.postgres import airflow_database
from tests.support.sessions import stop_everything_on_sigterm  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
YAML = "airflow.sdk.importers.yaml_importer.YamlDagImporter"


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file into which jobs write what they have done."""
    return tmp_path_factory.mktemp("jobs") / "ledger"


@pytest.fixture(scope="session")
def airflow(
    armada: StandaloneArmada,  # noqa: F811
    ledger: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AirflowStack]:
    dags = [HERE / "dags"]
    if AIRFLOW >= (3, 2):
        dags.append(HERE / "dags_3_2")
    if AIRFLOW >= (3, 4):
        dags += [HERE / "dags_3_4", ROOT / "example_dags" / "airflow_3_4"]
    env = {
        "AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target, lookout_url=LOOKOUT),
        "AIRFLOW_CONN_ARMADA_BY_URI": f"armada://{armada.target}/?tls=false&binoculars={quote(armada.target)}",
        "AIRFLOW_VAR_LEDGER": str(ledger),
        "AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS": json.dumps([{"classpath": YAML}]),
    }
    home = tmp_path_factory.mktemp("airflow")
    with airflow_database() as url, AirflowStack(home, dags, armada.target, env=env, database_url=url) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def run(airflow: AirflowStack) -> DagRun:
    """One run of everything that users do daily, side by side."""
    return airflow.api.trigger("ways")
