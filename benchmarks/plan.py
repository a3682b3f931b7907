"""How much is measured."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """The sizes of a run of the benchmarks.

    :param name: what the report calls it
    :param runs: how often each figure is taken
    :param import_runs: the same for the cheap import measurement
    :param sizes: numbers of jobs to follow
    :param many_sets: the number of job sets, beside one
    :param flood: events of the stream that receive loops are measured with
    :param history: events of the long job set
    :param submits: jobs to submit
    :param submits_alone: jobs to submit one by one
    :param log_jobs: jobs that write logs
    :param log_seconds: for how long they write
    :param tasks: tasks of the end-to-end DAG
    :param job_seconds: length of their jobs
    :param e2e_runs: runs of the end-to-end DAGs
    :param scale: tasks that are deferred at a time
    :param poll_interval: s between the peer's polls; 30 is its default
    :param clock: how much faster than real time a job of a day passes
    :param lengths: of jobs whose calls are counted, in s
    :param python: the interpreter of the environment with this package and Airflow
    """

    name: str = "full"
    runs: int = 3
    import_runs: int = 5
    sizes: tuple[int, ...] = (100, 1_000, 10_000)
    many_sets: int = 1_000
    flood: int = 60_000
    history: int = 1_000_000
    submits: int = 10_000
    submits_alone: int = 2_000
    log_jobs: int = 200
    log_seconds: float = 15.0
    tasks: int = 50
    job_seconds: int = 60
    e2e_runs: int = 2
    scale: int = 1_500
    poll_interval: float = 30.0
    clock: float = 2_000.0
    lengths: tuple[int, ...] = (60, 600, 3_600, 21_600, 86_400)
    python: Path = Path(sys.executable)


FULL = Plan()
QUICK = Plan(
    name="quick",
    runs=1,
    import_runs=2,
    sizes=(100, 1_000),
    many_sets=100,
    flood=20_000,
    history=100_000,
    submits=2_000,
    submits_alone=500,
    log_jobs=50,
    log_seconds=10.0,
    tasks=4,
    job_seconds=20,
    e2e_runs=1,
    scale=300,
    poll_interval=10.0,
    clock=2_500.0,
    lengths=(60, 3_600, 21_600),
)
