"""What must be true at the end of a life, whatever has happened in it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow_armada._compat import AirflowSkipException, AirflowTaskTimeout
from airflow_armada.client.typings import JobState
from airflow_armada.exceptions import (
    ArmadaJobError,
    ArmadaJobQueuedTooLong,
    ArmadaJobTimedOut,
    ArmadaRefused,
    ArmadaResultError,
    ArmadaUnavailable,
)
from tests.simulation.airflow import FINAL, Died, SimulatedTask
from tests.simulation.cancels import needless
from tests.simulation.drawn import LONG, STRANDING, Life
from tests.simulation.printing import wrongly_shown
from tests.simulation.promises import not_kept
from tests.simulation.world import World

LATE = 240.0  # s in which a task hears of the end of its job: a log that cannot be read takes 80 s
RESULT_WAIT = 600.0  # s in which a task waits for a log that cannot be read
IMPATIENT = 50.0  # s; errors are waited out for a minute
GRACE = 120.0  # s in which Armada and Airflow hear of what has been decided


def broken_by(world: World, life: Life, tasks: list[SimulatedTask]) -> list[str]:
    """Compare the three records: what ran, what Armada says, what Airflow says."""
    broken: list[str] = []
    for task in tasks:
        own = [job for job in world.jobs if task.owns(job)]
        if life.options["cancel_on_kill"] and life.waits and not _excused(life, task):
            broken += _outlived(life, task, own)
        if not life.may_make_copies:
            broken += _copies(task, own)
        for client_id in {job.spec.client_id for job in own}:
            ran = [job.id for job in own if job.spec.client_id == client_id and _state(job) is JobState.SUCCEEDED]
            if len(ran) > 1:
                broken.append(f"{task.name}: {len(ran)} jobs of one identity succeeded: {ran}")
        if task.ti.state not in FINAL:
            broken.append(f"{task.name} is left in the state {task.ti.state}")
        broken += _outcome(life, task, own) + _late(life, task, own)
        broken += wrongly_shown(task, world.printed)
        broken += [*needless(world.cancels, life, task, own), *not_kept(life, task, own)]
    return broken


def _excused(life: Life, task: SimulatedTask) -> str:
    """Tell why a job may outlive its task; ``docs/faults.md`` says each of these."""
    if task.dead_in_try == task.ti.try_number:
        return "the worker of the last try has died, and nobody looks after its job"
    if any(spell.length >= LONG and spell.kind in STRANDING for spell in life.spells):
        return "Armada could not be reached for longer than anybody tries"
    return task.excused


def _copies(task: SimulatedTask, own: list[Any]) -> list[str]:
    """One job of each identity, where Armada tells which jobs it has."""
    counts = Counter(job.spec.client_id for job in own)
    return [f"{task.name} has {count} jobs of one identity" for count in counts.values() if count > 1]


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


def _outcome(life: Life, task: SimulatedTask, own: list[Any]) -> list[str]:
    """The outcome of a task is that of its job, and it comes soon after the job's end."""
    broken: list[str] = []
    last = own[-1] if own else None
    if task.ti.state == "success":
        good = [job for job in own if _state(job) is JobState.SUCCEEDED or not life.waits]
        if not good and not task.marked:
            broken.append(f"{task.name} says success, but no job of it has succeeded")
    elif last is not None and _state(last) is JobState.SUCCEEDED and not _may_fail(life, task):
        broken.append(f"{task.name} says {task.ti.state} ({task.end}), but its last job has succeeded")
    broken += [f"{task.name}: {error!r:.200}" for error in task.errors if not _is_expected(error, life, task)]
    reached = not isinstance(task.end, ArmadaUnavailable)
    if task.put_off_after_ends and reached and not task.taken and len(own) <= task.put_off_after_ends:
        broken.append(f"{task.name} was put off {task.put_off_after_ends} times after an end, and had {len(own)} jobs")
    if task.early:
        broken.append(f"{task.name} was resumed before Airflow knew of the end of its worker")
    return broken


def _is_expected(error: BaseException, life: Life, task: SimulatedTask) -> bool:
    """A task fails with the errors of this provider or of Airflow, and because of Armada only if that was away."""
    if isinstance(error, ArmadaRefused):
        return False
    if isinstance(error, ArmadaUnavailable):
        return life.trouble >= IMPATIENT
    told = any(spell.kind == "xcom refused" for spell in life.spells)
    if isinstance(error, ArmadaResultError):
        return life.may_lose_results
    skips = isinstance(error, AirflowSkipException) and "skip_on_exit_code" in life.options
    taken = bool(task.taken) or task.deferral_timed_out
    return told or skips or taken or isinstance(error, ArmadaJobError | AirflowTaskTimeout | Died)


def _may_fail(life: Life, task: SimulatedTask) -> bool:
    """Tell whether a task may fail although its job succeeds: it was killed, its time was up, or nobody was heard."""
    timed_out = isinstance(task.end, AirflowTaskTimeout | ArmadaJobTimedOut | ArmadaJobQueuedTooLong)
    told = any(spell.kind == "xcom refused" for spell in life.spells)
    no_result = isinstance(task.end, ArmadaResultError)
    return bool(task.taken) or timed_out or told or no_result or life.in_trouble or task.dead_in_try > 0


def _late(life: Life, task: SimulatedTask, own: list[Any]) -> list[str]:
    """A task ends soon after its last job does."""
    ends = [_end(job) for job in own]
    if not ends or max(ends) == float("inf") or task.dead_in_try:
        return []
    late = task.ended_at - max(ends) - life.trouble - task.paused
    bound = LATE + (RESULT_WAIT if life.options.get("get_result") else 0)
    return [f"{task.name} has ended {late:.0f} s after its job"] if late > bound else []


def _state(job: Any) -> JobState:
    return JobState(int(job.state))
