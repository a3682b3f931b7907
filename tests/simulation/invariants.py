"""What must be true at the end of a life, whatever has happened in it."""

from __future__ import annotations

from typing import Any

from airflow_armada.client.typings import JobState
from tests.simulation.airflow import FINAL, SimulatedTask
from tests.simulation.drawn import Life
from tests.simulation.world import World

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


def broken_by(world: World, life: Life, tasks: list[SimulatedTask]) -> list[str]:
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
