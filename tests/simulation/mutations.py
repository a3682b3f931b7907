"""Rules of the provider, each taken away: the simulation has to see what goes wrong then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from airflow_armada.task.end.unfinished import UnfinishedJob


@dataclass(frozen=True)
class Mutation:
    """
    A rule that can be taken away.

    :param seed: of a life that needs it.
    :param taken_away: lives without it, as long as this is entered.
    """

    seed: int
    taken_away: Callable[[], AbstractContextManager[Any]]


async def _always(*_: Any) -> bool:
    return True


def _never(*_: Any) -> bool:
    return False


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


_TRIGGER = "airflow_armada.triggers.armada"

MUTATIONS = {
    "a trigger that is taken away cancels": Mutation(30, lambda: patch(f"{_TRIGGER}.is_taken_away", _never)),
    "a trigger cancels only if the task was killed": Mutation(9, lambda: patch(f"{_TRIGGER}.was_killed", _always)),
    "a worker answers for its job": Mutation(74, lambda: patch.object(UnfinishedJob, "leave", _nothing)),
    "a task that gives up ends its job": Mutation(74, lambda: patch.object(UnfinishedJob, "end", _nothing)),
}
"""Most rules have a second one behind them, and no life is known that misses them alone."""
