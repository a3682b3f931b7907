"""An embedded Armada that the connection of triggers leads to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_armada.hooks.armada import forget_connections
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_stack import armada_connection


@pytest.fixture
def armada(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=1, memory="1Gi") as server:
        server.create_queue("q")
        monkeypatch.setenv("AIRFLOW_CONN_ARMADA_DEFAULT", armada_connection(server.target))
        forget_connections()
        yield server
        forget_connections()
