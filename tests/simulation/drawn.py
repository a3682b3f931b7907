"""What a life is: all that is drawn from its seed, or written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulation.weather import Spell


@dataclass(frozen=True)
class Action:
    """Something that happens to a task: what, when, and to which one."""

    kind: str
    at: float
    task: int


@dataclass(frozen=True)
class Life:
    """
    All that is drawn from a seed.

    :param seed: the seed, which also decides about single calls.
    :param options: arguments of the operator.
    :param tasks: how many mapped tasks there are.
    :param has_store: whether Airflow has a state store.
    :param spells: faults.
    :param actions: what happens to the tasks.
    """

    seed: int
    options: dict[str, Any]
    tasks: int
    has_store: bool
    spells: tuple[Spell, ...]
    actions: tuple[Action, ...]
