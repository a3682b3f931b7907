"""What a life is: all that is drawn from its seed, or written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulation.weather import Spell

LONG = 300.0  # s; errors are waited out for a minute, by each of the tries
STRANDING = (
    "network down",
    "credentials refused",
    "bus away",
    "query service down",
    "state store down",
    "answers lost",
    "identity provider away",
)
"""Faults in which Armada cannot be reached, or does not tell."""

MAKING_COPIES = (
    "bus away",
    "query service down",
    "query service lags",
    "network down",
    "credentials refused",
    "identity provider away",
)


@dataclass(frozen=True)
class Action:
    """
    Something that happens to a task.

    :param kind: what; see :mod:`tests.simulation.happenings`.
    :param at: s after the beginning of the life.
    :param task: number of the task.
    :param length: s for which it lasts, where it does; None to let chance decide.
    """

    kind: str
    at: float
    task: int = 0
    length: float | None = None


@dataclass(frozen=True)
class Life:
    """
    All that is drawn from a seed.

    :param seed: the seed, which also decides about single calls.
    :param options: arguments of the operator.
    :param tasks: how many mapped tasks there are.
    :param has_store: whether Airflow has a state store.
    :param spells: faults.
    :param put_off: how often the user's retry policy puts a failed try off (Airflow 3.4) instead of failing it.
    :param actions: what happens to the tasks.
    :param airflow: version of Airflow.
    :param in_loop: whether the tasks are passes of a loop (Airflow 3.4) and not mapped.
    """

    seed: int
    options: dict[str, Any]
    tasks: int
    has_store: bool
    spells: tuple[Spell, ...]
    actions: tuple[Action, ...]
    put_off: int = 0
    airflow: tuple[int, int] = (3, 3)
    in_loop: bool = False

    @property
    def trouble(self) -> float:
        """Seconds for which something is wrong at most."""
        return sum(spell.length for spell in self.spells)

    @property
    def waits(self) -> bool:
        """Whether the task waits for the end of its job."""
        return bool(self.options.get("wait_for_completion", True))

    @property
    def may_lose_results(self) -> bool:
        """Whether a job that succeeds may leave no result that anybody can read."""
        prints = self.options["annotations"].get("simulation/result") != "never"
        return not prints or self.trouble >= LONG or any(spell.kind.startswith("logs") for spell in self.spells)

    @property
    def may_make_copies(self) -> bool:
        """Whether a submission may make several jobs, because its answer is lost and nobody tells of the job."""
        return any(spell.kind in MAKING_COPIES for spell in self.spells)

    @property
    def in_trouble(self) -> bool:
        """Whether Armada may not be reached, or may not tell, for longer than errors are waited out."""
        stranding = [spell.length for spell in self.spells if spell.kind in STRANDING]
        return any(length >= LONG for length in stranding) or len(stranding) > 1
