"""How triggers look up a connection: together, and not more often than Airflow can answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from airflow_armada.client.failure import SettingsError
from airflow_armada.hooks import armada
from airflow_armada.hooks.armada import ArmadaHook, forget_connections


class Connections:
    """Stands for Airflow's connections, which take a moment to read."""

    def __init__(self) -> None:
        self.asked = 0
        self.host = "armada"

    def get(self, conn_id: str) -> SimpleNamespace:
        self.asked += 1
        time.sleep(0.05)
        return SimpleNamespace(
            conn_id=conn_id, host=self.host, port=50051, login=None, password=None, extra_dejson=json.loads("{}")
        )


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    found = Connections()
    monkeypatch.setattr(ArmadaHook, "get_connection", lambda _, conn_id: found.get(conn_id))
    forget_connections()
    yield found
    forget_connections()


async def test_many_triggers_share_one_look_up(connections: Connections) -> None:
    found = await asyncio.gather(*(ArmadaHook("site").asettings() for _ in range(500)))

    assert {settings.target for settings in found} == {"armada:50051"}
    assert connections.asked == 1


async def test_many_triggers_share_one_failure(connections: Connections) -> None:
    connections.host = ""

    for _ in range(3):
        found = await asyncio.gather(*(ArmadaHook("site").asettings() for _ in range(500)), return_exceptions=True)
        assert {type(error) for error in found} == {SettingsError}

    assert connections.asked == 1


async def test_a_failure_is_not_remembered_for_long(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(armada, "_FAILURE_TTL", 0.0)
    connections.host = ""
    with pytest.raises(SettingsError):
        await ArmadaHook("site").asettings()

    connections.host = "mended"

    assert (await ArmadaHook("site").asettings()).target == "mended:50051"


async def test_a_look_up_is_heard_out_though_its_first_caller_is_gone(connections: Connections) -> None:
    first = asyncio.create_task(ArmadaHook("site").asettings())
    await asyncio.sleep(0)
    second = asyncio.create_task(ArmadaHook("site").asettings())
    await asyncio.sleep(0)

    first.cancel()

    assert (await second).target == "armada:50051"
    assert connections.asked == 1
