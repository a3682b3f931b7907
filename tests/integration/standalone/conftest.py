"""An embedded Armada for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_armada.standalone.config import SITES, Config
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada


@pytest.fixture
def server() -> Iterator[StandaloneArmada]:
    """A server with one queue and two cores to give away."""
    config = Config(cycle=0.01, priority_classes=SITES["nrp"])
    with StandaloneArmada(cpus=2, memory="4Gi", config=config) as standalone:
        standalone.create_queue(QUEUE)
        yield standalone


@pytest.fixture
def armada(server: StandaloneArmada) -> Armada:
    """Calls to the server."""
    return Armada(server.target)
