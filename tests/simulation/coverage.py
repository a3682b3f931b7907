"""
Which pairs of option and fault have met in lives, and which states of a job the followers have seen.

A pair has met when the fault was there, or the thing happened, while a task with that option was under way: between the
beginning of its first try and its end. Where an option matters only while a job waits for its start, between the
submission and the start of one of its jobs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from airflow_armada.standalone.store import model
from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Life
from tests.simulation.happenings import ACTIONS
from tests.simulation.weather import KINDS

WHILE_QUEUED = ("queued_timeout", "gang")
OPTIONS = (
    "deferrable",
    "blocking",
    "retries",
    "reattach=running_or_succeeded",
    "reattach=running",
    "reattach=never",
    "get_logs=False",
    "get_logs of named containers",
    "cancel_on_kill=False",
    "queued_timeout",
    "execution_timeout",
    "active_deadline_seconds",
    "preemption_retries",
    "skip_on_exit_code",
    "retry_policy",
    "put off",
    "gang",
    "mapped",
    "in a loop",
    "get_result",
    "result_file",
    "wait_for_completion=False",
    "end_from_trigger",
    "Airflow 3.1",
    "Airflow 3.2",
    "Airflow 3.3",
    "Airflow 3.4",
)
PAIRS = frozenset((option, fault) for option in OPTIONS for fault in (*KINDS, *ACTIONS))


def options_of(life: Life) -> Iterator[str]:
    """Tell what of a life's options matters, by the names of :data:`OPTIONS`."""
    options = life.options
    yield "deferrable" if options["deferrable"] else "blocking"
    yield f"reattach={options['reattach']}"
    yield f"Airflow {life.airflow[0]}.{life.airflow[1]}"
    yield from ("get_logs=False",) if options["get_logs"] is False else ()
    yield from ("get_logs of named containers",) if not isinstance(options["get_logs"], bool) else ()
    yield from (f"{name}=False" for name in ("cancel_on_kill", "wait_for_completion") if options.get(name) is False)
    yield from (name for name in OPTIONS if options.get(name) and name != "deferrable")
    yield from ("gang",) if "gang_id" in options else ()
    yield from ("put off",) if life.put_off else ()
    yield from () if life.tasks == 1 else ("in a loop",) if life.in_loop else ("mapped",)


def pairs_of(life: Life, tasks: list[SimulatedTask], jobs: list[Any], begun: float) -> frozenset[tuple[str, str]]:
    """
    Tell which pairs have met.

    :param life: the life, which is over.
    :param tasks: its tasks.
    :param jobs: all jobs that there were.
    :param begun: when it began, in seconds since the epoch.
    """
    faults = [(spell.kind, spell.begin, spell.begin + spell.length) for spell in life.spells]
    met = set()
    for number, task in enumerate(tasks):
        happened = [(one.kind, one.at, one.at) for one in life.actions if one.task == number]
        whole = [(0.0, task.ended_at - begun)]
        queued = [_wait(job, begun) for job in jobs if task.owns(job)]
        for option in options_of(life):
            for kind, begin, end in (*faults, *happened):
                spans = queued if option in WHILE_QUEUED else whole
                if any(begin <= until and end >= since for since, until in spans):
                    met.add((option, kind))
    return frozenset(met)


def _wait(job: Any, begun: float) -> tuple[float, float]:
    left = [at for at, state in job.history if state != model.QUEUED]
    return job.history[0][0] - begun, (left[0] if left else float("inf")) - begun


def report(met: Counter[tuple[str, str]], moves: Counter[str]) -> str:
    """Show what has met and what has not."""
    never = sorted(PAIRS - met.keys())
    share = 100 * (1 - len(never) / len(PAIRS))
    lines = [f"{share:.1f} % of {len(PAIRS)} pairs of option and fault have met; never: {len(never)}"]
    lines += [f"  {option} x {fault}" for option, fault in never]
    lines.append(f"{len(moves)} moves of followed jobs:")
    lines += [f"  {move}: {count}" for move, count in sorted(moves.items())]
    return "\n".join(lines)
