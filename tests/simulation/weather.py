"""Faults between a task and its job: which, when and for how long is drawn from a seed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from airflow_armada.client.failure import CredentialsError
from airflow_armada.standalone.services.binoculars import GONE
from airflow_armada.standalone.services.dispatch import Refused

if TYPE_CHECKING:
    from airflow_armada.standalone.in_memory import InMemoryArmada
    from tests.simulation.task_logs import Pipe

KINDS = (
    "network down",
    "answers lost",
    "bus away",
    "query service down",
    "query service lags",
    "streams silent",
    "streams broken",
    "events repeated",
    "logs down",
    "logs slow",
    "logs forgotten",
    "triggerer's log slow",
    "credentials refused",
    "client ids forgotten",
    "state store down",
    "identity provider away",
    "connection unusable",
    "xcom refused",
    "stragglers",
    "events mangled",
    "cluster cordoned",
    "leases returned",
)
SCRIPTED = ("black hole", "permission refused", "streams end", "streams cut")
"""Further kinds, of lives that are written down."""

LENGTHS = (2, 10, 40, 120, 300)
_QUERIES = ("GetJobStatus", "GetJobStatusUsingExternalJobUri", "GetJobDetails", "GetJobErrors")


@dataclass(frozen=True)
class Spell:
    """
    A fault for a while.

    :param kind: one of :data:`KINDS`.
    :param begin: seconds after the beginning of the life.
    :param length: seconds.
    """

    kind: str
    begin: float
    length: float


class Weather:
    """
    The faults that there are at present.

    :param spells: all of this life.
    :param armada: the server, which makes some of them itself.
    :param pipe: of the triggerer's log.
    :param chance: decides about single calls.
    """

    def __init__(self, spells: Sequence[Spell], armada: InMemoryArmada, pipe: Pipe, chance: random.Random) -> None:
        self._spells = spells
        self._engine = armada.engine
        self._faults = armada.faults
        self._pipe = pipe
        self._chance = chance
        self._active: list[str] = []

    def has(self, kind: str) -> bool:
        """Tell whether there is such a fault now."""
        return kind in self._active

    @property
    def network_is_down(self) -> bool:
        return self.has("network down")

    @property
    def is_bad(self) -> bool:
        """Whether there is any fault now."""
        return bool(self._active)

    async def run(self) -> None:
        """Let the spells begin and end."""
        await asyncio.gather(*(self._run(spell) for spell in self._spells))

    async def _run(self, spell: Spell) -> None:
        await asyncio.sleep(spell.begin)
        self._active.append(spell.kind)
        self._apply()
        if spell.kind in ("network down", "streams broken", "streams cut", "permission refused"):
            self._faults.break_streams()
        await asyncio.sleep(spell.length)
        self._active.remove(spell.kind)
        self._apply()

    def _apply(self) -> None:
        self._faults.query_lag = 45.0 if self.has("query service lags") else 0.0
        self._faults.silent = self.has("streams silent") or self.has("black hole")
        self._faults.repeat_events = int(self.has("events repeated"))
        self._faults.forget_client_ids = self.has("client ids forgotten")
        self._faults.close_streams_after = 2.0 if self.has("streams end") else None
        self._faults.drop_streams_after = 1 if self.has("streams cut") else None
        self._faults.bus_away = self.has("bus away")
        self._faults.return_pods = "no room on the node" if self.has("leases returned") else ""
        self._engine.scheduler.cordoned = self.has("cluster cordoned")
        self._engine.wake()
        self._pipe.pause = 0.2 if self.has("triggerer's log slow") else 0.001

    async def pass_through(self) -> None:
        """Wait while everything is swallowed."""
        while self.has("black hole"):  # noqa: ASYNC110 (a clock that jumps looks at no cost)
            await asyncio.sleep(1.0)

    def before(self, method: str) -> None:
        """Refuse a call before the server hears of it, if that is its fate."""
        if self.has("identity provider away"):
            raise CredentialsError("the token server cannot be reached", transient=True)
        if self.network_is_down or (self.has("answers lost") and self._chance.random() < 0.2):
            raise Refused(grpc.StatusCode.UNAVAILABLE, "connection refused")
        if self.has("permission refused"):
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
        if self.has("logs down") and method == "Logs":
            raise Refused(grpc.StatusCode.UNAVAILABLE, "connection refused")
        if self.has("logs forgotten") and method == "Logs":
            raise Refused(grpc.StatusCode.NOT_FOUND, GONE)
        if self.has("credentials refused"):
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "token expired")
        if self.has("query service down") and method in _QUERIES:
            raise Refused(grpc.StatusCode.UNKNOWN, "FATAL: the database system is shutting down")

    def after(self, method: str) -> None:
        """Lose the answer to a call, if that is its fate."""
        if self.has("answers lost") and self._chance.random() < 0.3:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "recvmsg: connection reset by peer")


def draw(chance: random.Random) -> list[Spell]:
    """Draw the faults of a life."""
    count = chance.choice((0, 1, 1, 2, 2, 3))
    return [
        Spell(chance.choice(KINDS), chance.uniform(0, 90), chance.choice((2, 10, 40, 120, 300))) for _ in range(count)
    ]


def now() -> str:
    """Tell the time of the life, for its table."""
    return f"{time.monotonic():9.2f}"
