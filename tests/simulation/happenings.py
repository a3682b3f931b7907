"""What happens to tasks and their jobs, beside the weather: what users, Airflow and Armada do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_armada.standalone.disruptions import Disruptions
from airflow_armada.standalone.store import model
from airflow_armada.standalone.store.model import Job, Request
from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Action
from tests.simulation.world import OTHER_CONN_ID, World

_TO_TASKS: dict[str, Callable[[SimulatedTask], Any]] = {
    "kill": SimulatedTask.kill,
    "mark success": SimulatedTask.mark_success,
    "delete": SimulatedTask.delete,
    "clear": SimulatedTask.clear,
    "kill worker": SimulatedTask.kill_worker,
    "terminate worker": SimulatedTask.terminate_worker,
    "time out deferral": SimulatedTask.time_out_deferral,
    "change connection": lambda task: setattr(task, "conn_id", OTHER_CONN_ID),
}
_FOR_A_WHILE: dict[str, Callable[[SimulatedTask, float], Any]] = {
    "restart triggerer": SimulatedTask.restart_triggerer,
    "take over": SimulatedTask.take_over,
    "stall triggerer": SimulatedTask.stall_triggerer,
}
_LENGTHS = {"restart triggerer": (1.0, 20.0, 70.0), "take over": (0.5, 10.0, 60.0), "stall triggerer": (30.0,)}
_TO_JOBS: dict[str, Callable[[World, Disruptions, Job], Any]] = {
    "preempt": lambda world, _, job: world.armada.engine.request_preempt(
        job.spec.queue, job.job_set_id, [job.id], Request("somebody", "for another job")
    ),
    "evict": lambda _, disruptions, job: disruptions.evict(job.id),
    "expire lease": lambda _, disruptions, job: disruptions.expire_lease(job.id),
    "forget history": lambda _, disruptions, job: disruptions.forget_events(job.spec.queue, job.job_set_id),
    "prune job": lambda world, disruptions, job: (world.pruned.append(job), disruptions.prune_job(job.id)),
    "delete pod": lambda world, _, job: world.armada.engine.pods.delete(job),
}

_TO_RUNNING = ("preempt", "evict", "expire lease")

ACTIONS = (
    "kill",
    "mark success",
    "delete",
    "clear",
    "kill worker",
    "restart triggerer",
    "take over",
    "change connection",
    "preempt",
    "evict",
    "expire lease",
)
"""Those that are drawn by chance; the others are for lives that are written down."""


async def happen(task: SimulatedTask, action: Action, world: World) -> None:
    """
    Let something happen when its time has come.

    :param task: to whom.
    :param action: what.
    :param world: where.
    """
    await asyncio.sleep(action.at)
    if action.kind in _TO_TASKS:
        _TO_TASKS[action.kind](task)
    elif action.kind in _FOR_A_WHILE:
        chosen = world.chance.choice(_LENGTHS[action.kind])
        await _FOR_A_WHILE[action.kind](task, chosen if action.length is None else action.length)
    else:
        jobs = [job for job in world.jobs if task.owns(job)]
        if not jobs or (action.kind in _TO_RUNNING and jobs[-1].state != model.RUNNING):
            return
        _TO_JOBS[action.kind](world, Disruptions(lambda work: work(world.armada.engine)), jobs[-1])
