"""A real Airflow whose connections hold canaries in its database writes none of them in clear, wherever it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.e2e.dags.secrets_ import KINDS
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.canaries import traces, traces_in
from tests.support.guarded_site import ALLOWED, GuardedSite, guarded_site

LOUD = {
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    "GRPC_VERBOSITY": "DEBUG",
    "GRPC_TRACE": "all",
    "PYTHONASYNCIODEBUG": "1",
}


@pytest.fixture(scope="module")
def airflow(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """An Airflow of its own whose processes say all that they can."""
    folder = tmp_path_factory.mktemp("dags")
    shutil.copy(Path(__file__).parent / "dags" / "secrets_.py", folder)
    with AirflowStack(tmp_path_factory.mktemp("loud"), [folder], armada.target, env={**LOUD, **ALLOWED}) as stack:
        yield stack


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSite]:
    with guarded_site(tmp_path_factory.mktemp("secrets")) as site:
        yield site


def connection(site: GuardedSite, name: str, values: dict[str, object]) -> dict[str, object]:
    """Return a connection in the form in which the UI saves it."""
    fields = json.loads(site.connection(values))
    return {**fields, "connection_id": name, "extra": json.dumps(fields["extra"])}


@pytest.fixture(scope="module")
def run(airflow: AirflowStack, site: GuardedSite) -> DagRun:
    """One run of jobs that succeed, fail and are refused, in both modes."""
    for kind in KINDS:
        airflow.api.call("POST", "/connections", connection(site, f"good_{kind}", site.good[kind]))
    bad = "oidc_client_credentials"
    airflow.api.call("POST", "/connections", connection(site, f"bad_{bad}", site.bad[bad]))
    run = airflow.api.trigger("secrets")
    run.wait(deadline=240)
    return run


def test_the_jobs_end_as_they_should(run: DagRun) -> None:
    states = run.states()

    assert {states[task] for task in states if "_works_" in task} == {"success"}
    assert {states[task] for task in states if "_fails_" in task or task == "refused"} == {"failed"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_button_tells_no_secret(run: DagRun, airflow: AirflowStack, site: GuardedSite, kind: str) -> None:
    good = airflow.api.call("POST", "/connections/test", connection(site, f"good_{kind}", site.good[kind]))
    bad = airflow.api.call("POST", "/connections/test", connection(site, f"bad_{kind}", site.bad[kind]))

    # Test is for anybody who may edit connections, and runs in the API server: it runs no programs there.
    assert (good["status"], bad["status"]) == (kind != "token_command", False)
    assert ("are not allowed" in good["message"]) == (kind == "token_command")
    assert traces(json.dumps([good, bad]).encode(), site.secrets) == []


def test_nothing_that_was_written_holds_a_secret(run: DagRun, airflow: AirflowStack, site: GuardedSite) -> None:
    # With SQLite's write-ahead log: the row of a trigger that has fired may be left in nothing else.
    database = b"".join(file.read_bytes() for file in sorted(airflow.home.glob("airflow.db*")))

    said = b"".join(file.read_bytes() for file in airflow.log_folder.iterdir())

    assert b"good_oidc_client_credentials" in database
    assert b"airflow.sdk.execution_time.comms.MaskSecret" in said
    assert b"chttp2_transport" in said
    assert b"airflow_armada.triggers.armada.ArmadaJobTrigger" in database
    assert traces_in(airflow.home, site.secrets) == []
