"""One life: what its task is asked for, what happens to it, and what must be true at its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from airflow_armada import _detached
from airflow_armada.wait.following import live_log_budget
from tests.simulation import virtual_time, weather
from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Action, Life
from tests.simulation.happenings import ACTIONS, happen
from tests.simulation.invariants import GRACE, broken_by
from tests.simulation.leftovers import LINGER, leftovers
from tests.simulation.printing import LINES
from tests.simulation.world import World

DURATIONS = ("1", "1", "5", "5", "30", "30", "30", "200", "200", "200", "2000")  # s
BOUND = 48 * 3600.0  # s in which every task must have ended
QUIET = 2 * 3600.0  # s after the end of the tasks in which all cancels must have arrived


@dataclass
class Record:
    """What was left of a life."""

    table: list[tuple[str, str, str]]
    broken: list[str] = field(default_factory=list)


def draw(seed: int) -> Life:
    """Draw a life."""
    chance = random.Random(seed)
    annotations = {"simulate/duration": chance.choice(DURATIONS)}
    annotations[LINES] = chance.choice(("0", "7", "60", "400"))
    fate = chance.choice(("", "", "", "3", "oom", "preempted", "evicted"))
    if fate == "3":
        annotations["simulate/exit-code"] = fate
    elif fate:
        annotations["simulate/end"] = fate
    options: dict[str, Any] = {
        "annotations": annotations,
        "deferrable": chance.random() < 0.75,
        "retries": chance.choice((0, 1, 2)),
        "reattach": chance.choice(("running_or_succeeded", "running", "never")),
        "get_logs": chance.random() < 0.5,
        "cancel_on_kill": chance.random() < 0.85,
    }
    if chance.random() < 0.3:
        options["queued_timeout"] = chance.choice((5, 30, 300))
    if chance.random() < 0.25:
        options["execution_timeout"] = timedelta(seconds=chance.choice((20, 60, 400)))
    if fate in ("preempted", "evicted"):
        options["priority_class_name"] = "armada-preemptible"
        options["preemption_retries"] = chance.choice((0, 1, 2))
        options["resubmit_on"] = ["preempted", "evicted"]
    tasks = chance.choice((1, 1, 2))
    put_off = chance.choice((0, 0, 0, 1, 2))
    actions = [
        Action(chance.choice(ACTIONS), chance.uniform(0, chance.choice((150, 150, 900))), chance.randrange(tasks))
        for _ in range(chance.choice((0, 1, 1, 2, 3)))
    ]
    has_store = put_off > 0 or chance.random() < 0.7
    return Life(seed, options, tasks, has_store, tuple(weather.draw(chance)), tuple(actions), put_off)


def live(life: Life, prepare: Callable[[World, list[SimulatedTask]], None] | None = None) -> Record:
    """
    Let a life happen, and look at what it has left.

    :param life: the life.
    :param prepare: does what is to be done before it begins.
    """
    live_log_budget.cache_clear()  # a process has one, which knows the time of the life before
    return virtual_time.run(_live(life, prepare), life.seed)


async def _live(life: Life, prepare: Callable[[World, list[SimulatedTask]], None] | None) -> Record:
    world = World(life.spells, random.Random(life.seed))
    with world.in_place():
        async with world.running():
            tasks = [
                SimulatedTask(world, life.options, index, life.has_store, life.put_off) for index in range(life.tasks)
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
    return Record(world.table, broken)


async def _quiet() -> None:
    """Wait for what goes on after the tasks, such as cancels, and for what Armada makes of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + QUIET
    while _detached._running and loop.time() < until:  # noqa: ASYNC110 (nothing tells when the last one has ended)
        await asyncio.sleep(60.0)
    await asyncio.sleep(GRACE)


def simpler(life: Life) -> list[Life]:
    """Give lives with a fault, an action or an option less, for shrinking."""
    found = [replace(life, spells=(*life.spells[:n], *life.spells[n + 1 :])) for n in range(len(life.spells))]
    found += [replace(life, actions=(*life.actions[:n], *life.actions[n + 1 :])) for n in range(len(life.actions))]
    if life.tasks > 1:
        found.append(replace(life, tasks=1, actions=tuple(one for one in life.actions if not one.task)))
    for name in life.options:
        if name not in ("annotations", "deferrable", "retries", "reattach", "get_logs", "cancel_on_kill"):
            found.append(replace(life, options={key: one for key, one in life.options.items() if key != name}))
    return found


def shrunk(life: Life) -> Life:
    """Take away whatever is not needed for the life to go wrong."""
    for candidate in simpler(life):
        if live(candidate).broken:
            return shrunk(candidate)
    return life
