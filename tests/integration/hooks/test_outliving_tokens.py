"""Tokens that expire while jobs run, and a login provider that is away for a while: on a real Airflow, in both modes.

tests/e2e/test_connections.py has the same for tokens of OIDC.
"""

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
from tests.support.token_exchange import TokenExchange, token_exchange

pytestmark = pytest.mark.timeout(600)

MODES = ("deferred", "blocking")
LIFETIME = 2
NUMBERS = [str(number) for number in range(7)]
EXCHANGED = "CANARY-exchanged-0123456789"
DAG = """
for mode in ("deferred", "blocking"):
    outlives = "for n in 0 1 2 3 4 5 6; do echo $n; sleep 1; done"
    sh(f"file_{mode}", outlives, armada_conn_id="file", deferrable=mode == "deferred")
    sh(f"busy_{mode}", "echo fine; sleep 3; echo the end", armada_conn_id="busy", deferrable=mode == "deferred")
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
def provider() -> Iterator[TokenExchange]:
    """A provider that is busy twice; each of its tokens is kept for a second, so it is needed again and again."""
    with token_exchange({"mounted"}, lambda: EXCHANGED) as running:
        running.busy = 2
        running.lifetime = 1
        yield running


@pytest.fixture(scope="module")
def run(provider: TokenExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("tokens")
    account = folder / "service-account"
    account.write_text("mounted")
    guard = Credentials(tokens={EXCHANGED: "robot"})
    with StandaloneArmada(credentials=guard) as server, rotating(server, folder / "token"):
        server.create_queue("research")
        busy = {
            "auth": "oidc_kubernetes",
            "oidc_provider_url": provider.url,
            "oidc_client_id": "airflow",
            "token_file": str(account),
        }
        file = {"token_file": str(folder / "token")}
        connections = {
            f"AIRFLOW_CONN_{name}": armada_connection(server.target, allow_plaintext_credentials=True, **extra)
            for name, extra in (("BUSY", busy), ("FILE", file))
        }
        with InlineAirflow(tmp_path_factory.mktemp("airflow"), {**connections, **ALLOWED}) as airflow:
            yield airflow.run(DAG)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["file", "busy"])
def test_the_task_succeeds(run: Finished, kind: str, mode: str) -> None:
    assert run.task(f"{kind}_{mode}")["state"] == "success"


def test_no_line_of_any_log_is_missing_or_shown_twice(run: Finished) -> None:
    assert sorted(run.pod_lines()) == sorted(2 * [*NUMBERS, "fine", "the end"])


def test_the_provider_was_away_and_then_asked_again_and_again(run: Finished, provider: TokenExchange) -> None:
    assert provider.busy == 0
    assert len(provider.forms) >= 2 + 2 * 2
