"""An embedded Armada for the tries of a task."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.task.submit.tries import QUEUE, Tries


@pytest.fixture
def armada() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=8, memory="8Gi") as server:
        server.create_queue(QUEUE)
        yield server


@pytest.fixture
def tries(armada: StandaloneArmada) -> Tries:
    return Tries(armada, time.time())
