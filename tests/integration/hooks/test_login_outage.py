"""A login provider that is away for a while delays tasks, and fails none: on a real Airflow, in both modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import InlineAirflow
from tests.support.airflow_stack import armada_connection
from tests.support.guarded_site import ALLOWED
from tests.support.token_exchange import token_exchange

pytestmark = pytest.mark.timeout(300)

DAG = """
for mode in ("deferred", "blocking"):
    sh(mode, "echo fine; sleep 7; echo the end", armada_conn_id="busy", deferrable=mode == "deferred")
"""


def test_tasks_wait_for_a_login_provider_that_is_busy(tmp_path: Path) -> None:
    token = "CANARY-exchanged-0123456789"
    (tmp_path / "service-account").write_text("mounted")
    with (
        StandaloneArmada(credentials=Credentials(tokens={token: "robot"})) as server,
        token_exchange({"mounted"}, lambda: token) as provider,
    ):
        server.create_queue("research")
        provider.busy = 2
        # Each token is kept for a second, so the provider is needed again and again.
        provider.lifetime = 1
        connection = armada_connection(
            server.target,
            allow_plaintext_credentials=True,
            auth="oidc_kubernetes",
            oidc_provider_url=provider.url,
            oidc_client_id="airflow",
            token_file=str(tmp_path / "service-account"),
        )
        with InlineAirflow(tmp_path / "airflow", {"AIRFLOW_CONN_BUSY": connection, **ALLOWED}) as airflow:
            run = airflow.run(DAG)

    assert run.state == "success"
    assert run.pod_lines() == ["fine", "the end"] * 2
    assert provider.busy == 0
