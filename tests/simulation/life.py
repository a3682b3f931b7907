"""One life: what its task is asked for, what happens to it, and what must be true at its end."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from airflow_armada import _detached
from airflow_armada.client.typings import JobState
from tests.simulation import virtual_time, weather
from tests.simulation.airflow import FINAL, SimulatedTask
from tests.simulation.weather import Spell
from tests.simulation.world import World

ACTIONS = ("kill", "clear", "kill worker", "restart triggerer", "take over")
BOUND = 48 * 3600.0  # s in which every task must have ended
LONG = 300.0  # s; errors are waited out for a minute, by each of the tries
STRANDING = (
    "network down",
    "credentials refused",
    "bus away",
    "query service down",
    "state store down",
    "answers lost",
)
GRACE = 120.0  # s in which Armada and Airflow hear of what has been decided
QUIET = 2 * 3600.0  # s after the end of the tasks in which all cancels must have arrived


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


@dataclass
class Record:
    """What was left of a life."""

    table: list[tuple[str, str, str]]
    broken: list[str] = field(default_factory=list)


def draw(seed: int) -> Life:
    """Draw a life."""
    chance = random.Random(seed)
    annotations = {"simulate/duration": chance.choice(("1", "5", "30", "200", "2000"))}
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
    actions = [
        Action(chance.choice(ACTIONS), chance.uniform(0, 150), chance.randrange(tasks))
        for _ in range(chance.choice((0, 1, 1, 2)))
    ]
    return Life(seed, options, tasks, chance.random() < 0.7, tuple(weather.draw(chance)), tuple(actions))


def live(life: Life) -> Record:
    """Let a life happen, and look at what it has left."""
    return virtual_time.run(_live(life), life.seed)


async def _live(life: Life) -> Record:
    world = World(life.spells, random.Random(life.seed))
    with world.in_place():
        async with world.armada:
            world.put_queue()
            tasks = [SimulatedTask(world, life.options, index, life.has_store) for index in range(life.tasks)]
            world.states = lambda: {f"work_{task.ti.map_index}": task.ti.state for task in tasks}
            happens = [asyncio.create_task(_act(tasks[action.task], action, world)) for action in life.actions]
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
            broken += _broken(world, life, tasks)
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


async def _act(task: SimulatedTask, action: Action, world: World) -> None:
    await asyncio.sleep(action.at)
    if action.kind == "kill":
        task.kill()
    elif action.kind == "clear":
        task.clear()
    elif action.kind == "kill worker":
        task.kill_worker()
    elif action.kind == "restart triggerer":
        await task.restart_triggerer(world.chance.choice((1.0, 20.0, 70.0)))
    else:
        await task.take_over(world.chance.choice((0.5, 10.0, 60.0)))


def _broken(world: World, life: Life, tasks: list[SimulatedTask]) -> list[str]:
    """Compare the three records: what ran, what Armada says, what Airflow says."""
    broken: list[str] = []
    jobs = list(world.armada.engine.store.jobs.values())
    for task in tasks:
        own = [job for job in jobs if _is_of(job, task)]
        if life.options["cancel_on_kill"] and not _excused(life, task):
            broken += _outlived(life, task, own)
        for client_id in {job.spec.client_id for job in own}:
            ran = [job.id for job in own if job.spec.client_id == client_id and _state(job) is JobState.SUCCEEDED]
            if len(ran) > 1:
                broken.append(f"{task.name}: {len(ran)} jobs of one identity succeeded: {ran}")
        if task.ti.state == "success" and not any(_state(job) is JobState.SUCCEEDED for job in own):
            broken.append(f"{task.name} says success, but no job of it has succeeded")
        if task.ti.state not in FINAL:
            broken.append(f"{task.name} is left in the state {task.ti.state}")
        broken += _needless_cancels(life, task, own)
    return broken


def _excused(life: Life, task: SimulatedTask) -> str:
    """Tell why a job may outlive its task; ``docs/faults.md`` says each of these."""
    if task.dead_in_try == task.ti.try_number:
        return "the worker of the last try has died, and nobody looks after its job"
    if any(spell.length >= LONG and spell.kind in STRANDING for spell in life.spells):
        return "Armada could not be reached for longer than anybody tries"
    return task.excused


def _outlived(life: Life, task: SimulatedTask, own: list[Any]) -> list[str]:
    """No job outlives its task, and none runs beside another of its task, longer than trouble lasts."""
    trouble = GRACE + sum(spell.length for spell in life.spells)
    late = [job.id for job in own if _end(job) > task.ended_at + trouble]
    broken = [f"{task.name} has ended as {task.ti.state}, and its jobs {late} go on"] if late else []
    for number, job in enumerate(own):
        for other in own[number + 1 :]:
            if min(_end(job), _end(other)) - max(job.history[0][0], other.history[0][0]) > trouble:
                broken.append(f"{task.name} has two jobs at once: {job.id} and {other.id}")
    return broken


def _end(job: Any) -> float:
    at, _ = job.history[-1]
    return float(at) if _state(job).is_terminal() else float("inf")


def _needless_cancels(life: Life, task: SimulatedTask, own: list[Any]) -> list[str]:
    """No job is cancelled that the task's rules would let run."""
    timed = "queued_timeout" in life.options or "execution_timeout" in life.options
    if task.killed_by_user or task.cleared or timed or life.options["reattach"] == "never":
        return []
    long_trouble = any(spell.length >= 300 for spell in life.spells) or len(life.spells) > 1
    cancelled = [job for job in own if _state(job) is JobState.CANCELLED]
    alone = [job.id for job in cancelled if sum(one.spec.client_id == job.spec.client_id for one in own) == 1]
    return [] if long_trouble or not alone else [f"{task.name}: {alone} cancelled, and nobody wanted that"]


def _is_of(job: Any, task: SimulatedTask) -> bool:
    annotations = job.spec.annotations
    return bool(annotations["airflow.apache.org/map-index"] == str(task.ti.map_index))


def _state(job: Any) -> JobState:
    return JobState(int(job.state))


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
