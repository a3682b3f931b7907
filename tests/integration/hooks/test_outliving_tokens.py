"""Jobs that outlive three token lifetimes, on a real Airflow in both modes: followed to their end, with their logs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import Finished, InlineAirflow
from tests.support.airflow_stack import armada_connection
from tests.support.guarded_site import ALLOWED
from tests.support.oidc import CLIENT_SECRET, OidcProvider, oidc_provider

pytestmark = pytest.mark.timeout(600)

LIFETIME = 2
NUMBERS = [str(number) for number in range(8)]
DAG = """
script = "for n in 0 1 2 3 4 5 6 7; do echo $n; sleep 1; done"
for kind in ("oidc", "file"):
    for mode in ("deferred", "blocking"):
        sh(f"{kind}_{mode}", script, armada_conn_id=kind, deferrable=mode == "deferred")
"""


@contextmanager
def rotating(server: StandaloneArmada, file: Path) -> Iterator[None]:
    """Replace the token in a file again and again, as a kubelet does; each one soon expires."""
    end, numbers = threading.Event(), count()

    def replace() -> None:
        token = f"CANARY-rotated-{next(numbers)}"
        server.authenticator.add_token(token, "robot", LIFETIME)
        fresh = file.with_suffix(".new")
        fresh.write_text(token)
        fresh.rename(file)

    def rotate() -> None:
        while not end.wait(LIFETIME / 4):
            replace()

    replace()
    thread = threading.Thread(target=rotate)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(tokenLifetime=LIFETIME) as running:
        yield running


@pytest.fixture(scope="module")
def run(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("tokens")
    guard = Credentials(verify_token=provider.verify)
    with StandaloneArmada(credentials=guard) as server, rotating(server, folder / "token"):
        server.create_queue("research")
        oidc = {
            "auth": "oidc_client_credentials",
            "oidc_provider_url": provider.issuer,
            "oidc_client_id": "machine",
            "oidc_client_secret": CLIENT_SECRET,
        }
        file = {"token_file": str(folder / "token")}
        connections = {
            f"AIRFLOW_CONN_{name}": armada_connection(server.target, allow_plaintext_credentials=True, **extra)
            for name, extra in (("OIDC", oidc), ("FILE", file))
        }
        with InlineAirflow(tmp_path_factory.mktemp("airflow"), {**connections, **ALLOWED}) as airflow:
            yield airflow.run(DAG)


@pytest.mark.parametrize("mode", ["deferred", "blocking"])
@pytest.mark.parametrize("kind", ["oidc", "file"])
def test_the_task_succeeds(run: Finished, kind: str, mode: str) -> None:
    assert run.task(f"{kind}_{mode}")["state"] == "success"


def test_no_line_of_any_log_is_missing_or_shown_twice(run: Finished) -> None:
    assert sorted(run.pod_lines()) == sorted(4 * NUMBERS)


def test_the_tokens_were_renewed_while_the_jobs_ran(run: Finished, provider: OidcProvider) -> None:
    assert provider.grants()["client_credentials"] >= 2 * 4
