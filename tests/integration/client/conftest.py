"""A scripted server, and both clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from tests.support.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ArmadaClient]:
    with ArmadaClient.open(SiteSettings(server.target, tls=None)) as made:
        yield made


@pytest.fixture
async def aio_client(server: ScriptedServer) -> AsyncIterator[ArmadaAsyncIOClient]:
    async with ArmadaAsyncIOClient.open(SiteSettings(server.target, tls=None)) as made:
        yield made
