"""One life, from its beginning to what is left of it; and the smallest one that goes wrong the same way."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_armada import _detached
from airflow_armada.wait.following import live_log_budget
from tests.simulation import virtual_time
from tests.simulation.airflow import SimulatedTask
from tests.simulation.coverage import pairs_of
from tests.simulation.drawn import Life
from tests.simulation.happenings import happen
from tests.simulation.invariants import GRACE, broken_by
from tests.simulation.leftovers import LINGER, leftovers
from tests.simulation.versions import Version
from tests.simulation.virtual_time import YEAR_2030
from tests.simulation.world import World

BOUND = 48 * 3600.0  # s in which every task must have ended
QUIET = 2 * 3600.0  # s after the end of the tasks in which all cancels must have arrived


@dataclass
class Record:
    """What was left of a life."""

    table: list[tuple[str, str, str]]
    broken: list[str] = field(default_factory=list)
    met: frozenset[tuple[str, str]] = frozenset()
    moves: frozenset[str] = frozenset()


def live(life: Life, prepare: Callable[[World, list[SimulatedTask]], None] | None = None) -> Record:
    """
    Let a life happen, and look at what it has left.

    :param life: the life.
    :param prepare: does what is to be done before it begins.
    """
    live_log_budget.cache_clear()  # a process has one, which knows the time of the life before
    return virtual_time.run(_live(life, prepare), life.seed)


async def _live(life: Life, prepare: Callable[[World, list[SimulatedTask]], None] | None) -> Record:
    world = World(life.spells, random.Random(life.seed), Version(life.airflow))
    with world.in_place(), world.airflow.in_place():
        async with world.running():
            tasks = [
                SimulatedTask(world, life.options, index, life.has_store, life.put_off, in_loop=life.in_loop)
                for index in range(life.tasks)
            ]
            world.states = lambda: {f"work_{task.ti.map_index}": task.told_state for task in tasks if task.exists}
            if prepare is not None:
                prepare(world, tasks)
            happens = [asyncio.create_task(happen(tasks[action.task], action, world)) for action in life.actions]
            sky = asyncio.create_task(world.weather.run())
            lives = [asyncio.create_task(task.live()) for task in tasks]
            done, late = await asyncio.wait(lives, timeout=BOUND)
            broken = [f"{task.name} has not ended" for task, one in zip(tasks, lives, strict=True) if one in late]
            for one in done:
                one.result()
            for one in (*late, *happens):
                one.cancel()
            await asyncio.gather(*late, *happens, return_exceptions=True)
            await sky
            await _quiet()
            for task in tasks:
                await task.finish()
            await asyncio.sleep(LINGER)
            broken += broken_by(world, life, tasks)
            broken += leftovers(world)
            for leftover in list(_detached._running):
                leftover.cancel()
    met = pairs_of(life, tasks, world.jobs, YEAR_2030)
    return Record(world.table, broken, met, frozenset(world.moves))


async def _quiet() -> None:
    """Wait for what goes on after the tasks, such as cancels, and for what Armada makes of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + QUIET
    while _detached._running and loop.time() < until:  # noqa: ASYNC110 (nothing tells when the last one has ended)
        await asyncio.sleep(60.0)
    await asyncio.sleep(GRACE)


BUNDLES = (
    ("end_from_trigger", "do_xcom_push"),
    ("get_result", "result_file", "cmds"),
    ("gang_id", "gang_cardinality"),
    ("preemption_retries", "resubmit_on"),
)
"""Options that are drawn, and left out, together."""

DEFAULTS = {
    "deferrable": True,
    "retries": 0,
    "reattach": "running_or_succeeded",
    "get_logs": True,
    "cancel_on_kill": True,
}


def simpler(life: Life) -> list[Life]:
    """Give lives with a fault, an action or an option less, for shrinking."""
    found = [replace(life, spells=(*life.spells[:n], *life.spells[n + 1 :])) for n in range(len(life.spells))]
    found += [replace(life, actions=(*life.actions[:n], *life.actions[n + 1 :])) for n in range(len(life.actions))]
    if life.tasks > 1 and "gang_id" not in life.options:
        found.append(replace(life, tasks=1, actions=tuple(one for one in life.actions if not one.task)))
    if life.in_loop:
        found.append(replace(life, in_loop=False))
    for names in (*BUNDLES, *((name,) for name in life.options)):
        left = {key: one for key, one in life.options.items() if key not in names}
        left |= {name: DEFAULTS[name] for name in names if name in DEFAULTS}
        if left != life.options and names != ("annotations",):
            found.append(replace(life, options=left))
    return found


def shrunk(life: Life) -> Life:
    """Take away whatever is not needed for the life to go wrong in the same way."""
    return _shrunk(life, {_shape(what) for what in live(life).broken})


def _shrunk(life: Life, shapes: set[str]) -> Life:
    for candidate in simpler(life):
        if any(_shape(what) in shapes for what in live(candidate).broken):
            return _shrunk(candidate, shapes)
    return life


def _shape(what: str) -> str:
    """Give what is broken without the numbers and ids in it."""
    return re.sub(r"\b[0-9a-z]{26}\b|[0-9. ]+", " ", what)
