"""Simulated pods that print numbered lines, and whether a task's log shows them all, once and in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_armada.jobs.results import RESULT_MARKER
from airflow_armada.links.armada import JOB_XCOM_KEY
from airflow_armada.tries.identity import LABEL_PREFIX
from airflow_armada.wait.task_log import JOB_LOGGER, POD_LOGGER

if TYPE_CHECKING:
    from airflow_armada.standalone.scheduling.engine import Engine
    from tests.simulation.airflow import SimulatedTask

LINES = "simulation/lines"
"""The annotation that says how many lines a job prints."""

RESULT = "simulation/result"
"""The annotation that says when a job prints the numbers of its try and resubmission: first, last or never."""

_TOLD = ("cannot be read", "may be missing", "are left out here", "is not shown", "some lines are missing")
"""How the log itself says that something of it is not there."""


def let_print(engine: Engine, printed: dict[str, int], chance: random.Random) -> None:
    """
    Let the pods of an Armada print what their annotation says, at times that chance decides.

    :param engine: of the Armada.
    :param printed: by job, how many lines it has printed.
    :param chance: decides when.
    """
    run = engine.pods.run

    def printing(job: Any, on_running: Callable[[], None], on_end: Callable[[Any], None]) -> None:
        def running() -> None:
            on_running()
            result = job.spec.annotations.get(RESULT, "")
            if result in ("first", "last"):
                tasks.add(asyncio.ensure_future(_print_result(engine, job, result)))
            if count := int(job.spec.annotations.get(LINES, "0")):
                duration = float(job.spec.annotations["simulate/duration"])
                tasks.add(asyncio.ensure_future(_print(engine, job, count, duration, printed, chance)))

        run(job, running, on_end)

    tasks: set[asyncio.Future[None]] = set()
    engine.pods.run = printing  # type: ignore[method-assign]


async def _print_result(engine: Engine, job: Any, when: str) -> None:
    pod: Any = engine.pods.get(job.id)
    notes = job.spec.annotations
    if when == "last":
        await asyncio.sleep(0.9 * float(notes["simulate/duration"]))
    numbers = [int(notes[f"{LABEL_PREFIX}{name}"]) for name in ("try-number", "resubmission")]
    if not pod._stopped.is_set() and pod.containers[0].terminated is None:
        pod.containers[0].log.feed(f"{RESULT_MARKER}{numbers}\n".encode())


async def _print(
    engine: Engine, job: Any, count: int, duration: float, printed: dict[str, int], chance: random.Random
) -> None:
    pod: Any = engine.pods.get(job.id)
    moments = sorted(chance.choice((chance.uniform(0, 0.95 * duration), 0.5 * duration)) for _ in range(count))
    passed = 0.0
    for number, moment in enumerate(moments):
        if moment > passed:
            await asyncio.sleep(moment - passed)
            passed = moment
        if pod.containers[0].terminated is not None or pod._stopped.is_set():
            return
        pod.containers[0].log.feed(f"{job.id} {number}\n".encode())
        printed[job.id] = number + 1


def wrongly_shown(task: SimulatedTask, printed: dict[str, int]) -> Iterator[str]:
    """
    Compare what the jobs of a task have printed with what its log shows.

    :param task: the task.
    :param printed: by job, how many lines it has printed.
    """
    for number in task.logs.tries:
        records = task.logs.shown(number)
        shown: dict[str, list[int]] = {}
        for record in records:
            if record.logger == POD_LOGGER and RESULT_MARKER not in record.text:
                job_id, line = record.text.split()
                shown.setdefault(job_id, []).append(int(line))
        for job_id, lines in shown.items():
            if lines != sorted(set(lines)):
                yield f"{task.name}: try {number} shows lines of {job_id} twice or out of order: {_brief(lines)}"
        job_id = task.concluded.get(number, "")
        lines, there = shown.get(job_id, []), printed.get(job_id, 0)
        told = any(text in record.text for record in records if record.logger == JOB_LOGGER for text in _TOLD)
        waits = task.options.get("wait_for_completion", True)
        shows = task.options["get_logs"] is True or "base" in (task.options["get_logs"] or ())
        if waits and shows and job_id and not told and len(set(lines)) < there:
            missing = sorted(set(range(there)) - set(lines))
            yield f"{task.name}: try {number} does not show lines {_brief(missing)} of {there} of {job_id}"


def concluded(xcoms: dict[str, Any]) -> str:
    """Give the job whose end a try has just learnt."""
    told = xcoms.get(JOB_XCOM_KEY)
    return str(told["job_id"]) if told else ""


def _brief(numbers: list[int]) -> str:
    return " ".join(map(str, numbers[:40]))
