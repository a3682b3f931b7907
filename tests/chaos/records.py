"""Three records of what has happened, and how they are compared: the machine's, the server's and Airflow's."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_armada.api import submit_pb2
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.standalone.store import model
from airflow_armada.tries.identity import LABEL_PREFIX
from tests.support.airflow_api import ENDED, DagRun

OVERLAP = 5.0
"""Seconds for which a job may still be winding up when its successor starts: it has been cancelled by then."""


@dataclass(frozen=True, order=True)
class Try:
    """One try of one task of a run."""

    task_id: str
    map_index: int
    number: int


@dataclass(frozen=True)
class Job:
    """What the server says about a job; times in epoch seconds."""

    id: str
    of: Try
    resubmission: int
    state: str
    submitted: float
    ended: float | None
    ran: bool = True


@dataclass
class Life:
    """What the machine says about one process of a job; times in epoch seconds."""

    of: Try
    started: float
    pid: int
    stopped: float | None = None
    ending: str = ""


@dataclass
class Findings:
    """What is wrong, one line each."""

    tasks: int = 0
    jobs: int = 0
    duplicates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        kinds = ("duplicates", "orphans", "wrong", "hung")
        return [f"{kind}: {text}" for kind in kinds for text in getattr(self, kind)]

    def add(self, other: Findings) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def server_jobs(server: StandaloneArmada, run: DagRun) -> list[Job]:
    """Return the jobs of a DAG run as the server knows them, oldest first."""
    found = [job for job in server.jobs.values() if job.spec.annotations.get(f"{LABEL_PREFIX}run-id") == run.run_id]
    mine = [job for job in found if job.spec.annotations.get(f"{LABEL_PREFIX}dag-id") == run.dag_id]
    return sorted(map(_job, mine), key=lambda job: job.submitted)


def _job(job: model.Job) -> Job:
    notes = {key.removeprefix(LABEL_PREFIX): value for key, value in job.spec.annotations.items()}
    history = list(job.history)
    return Job(
        id=job.id,
        of=Try(notes["task-id"], int(notes["map-index"]), int(notes["try-number"])),
        resubmission=int(notes["resubmission"]),
        state=submit_pb2.JobState.Name(history[-1][1]),
        submitted=history[0][0],
        ended=history[-1][0] if history[-1][1] in model.TERMINAL else None,
        ran=any(state == submit_pb2.RUNNING for _, state in history),
    )


def machine_lives(ledger: Path, run: DagRun) -> list[Life]:
    """Return the processes of a DAG run's jobs as they have written it down themselves."""
    lives: dict[tuple[Try, int], Life] = {}
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    for line in lines:
        what, rest = line.split(" ", 1)
        identity, pid, at = rest.rsplit(" ", 2)
        dag_id, run_id, task_id, index, number = identity.split("|")
        if (dag_id, run_id) != (run.dag_id, run.run_id):
            continue
        key = (Try(task_id, int(index), int(number)), int(pid))
        if what == "started":
            lives[key] = Life(key[0], float(at), key[1])
        elif key in lives:
            lives[key].stopped, lives[key].ending = float(at), what
    return list(lives.values())


def audit(
    server: StandaloneArmada,
    ledger: Path,
    run: DagRun,
    expected: Mapping[str, str] | None = None,
    left_alone: Iterable[str] = (),
    repeated: Iterable[str] = (),
) -> Findings:
    """Compare the records of a run whose tasks should have ended.

    :param expected: state of a task by its id, success for all others; "marked success" needs no job that succeeded
    :param left_alone: tasks whose jobs may outlive them
    :param repeated: tasks that may have run to their good end more than once, such as cleared ones
    """
    jobs, lives, expected = server_jobs(server, run), machine_lives(ledger, run), dict(expected or {})
    found = Findings(jobs=len(jobs))
    for task in run.tasks():
        found.tasks += 1
        key = (task["task_id"], -1 if task["map_index"] is None else task["map_index"])
        mine = [job for job in jobs if (job.of.task_id, job.of.map_index) == key]
        running = [life for life in lives if (life.of.task_id, life.of.map_index) == key]
        name = f"{run.dag_id} {run.run_id} {key[0]}"
        wanted = expected.get(key[0], "success")
        found.duplicates += [f"{name}: {text}" for text in _duplicates(mine) + _overlaps(running)]
        if task["state"] not in ENDED:
            found.hung.append(f"{name} is {task['state']}, its jobs {_brief(mine)}")
            continue
        if key[0] not in left_alone:
            found.orphans += [f"{name}: job {job.id} is {job.state}" for job in mine if job.ended is None]
        if task["state"] != wanted.removeprefix("marked "):
            found.wrong.append(f"{name} is {task['state']}, not {wanted}; its jobs {_brief(mine)}")
        elif wanted == "success":
            found.wrong += [f"{name}: {text}" for text in _unfounded_success(mine, running, key[0] in repeated)]
    return found


def _brief(jobs: Iterable[Job]) -> str:
    return ", ".join(f"{job.id} (try {job.of.number}.{job.resubmission}) {job.state}" for job in jobs) or "none"


def _duplicates(jobs: list[Job]) -> list[str]:
    """Find identities with more than one job, and jobs of one task that were live side by side.

    A copy that was cancelled before it ran, which a pause of the message bus makes, is none.
    """
    found = []
    jobs = [job for job in jobs if job.ran or job.state != "CANCELLED"]
    seen: dict[tuple[Try, int], str] = {}
    for job in jobs:
        first = seen.setdefault((job.of, job.resubmission), job.id)
        if first != job.id:
            found.append(f"jobs {first} and {job.id} are both of try {job.of.number}.{job.resubmission}")
    for before, after in itertools.pairwise(jobs):
        if before.ended is None or before.ended > after.submitted + OVERLAP:
            found.append(f"job {before.id} was live beside {after.id}")
    return found


def _overlaps(lives: list[Life]) -> list[str]:
    """Find processes of one task that ran side by side; one that was killed has left no line about its end."""
    lives = sorted(lives, key=lambda life: life.started)
    return [
        f"processes {before.pid} and {after.pid} ran side by side"
        for before, after in itertools.pairwise(lives)
        if before.stopped is not None and before.stopped > after.started + OVERLAP
    ]


def _unfounded_success(jobs: list[Job], lives: list[Life], repeated: bool) -> list[str]:
    found = []
    if not any(job.state == "SUCCEEDED" for job in jobs):
        found.append(f"a success, but its jobs are {_brief(jobs)}")
    done = sum(life.ending == "ended:0" for life in lives)
    if not done or (done > 1 and not repeated):
        found.append(f"a success, but {[life.ending for life in lives]} on the machine")
    return found


def alive(lives: Iterable[Life]) -> list[Life]:
    """Return those whose process still exists."""
    found = []
    for life in lives:
        with contextlib.suppress(OSError):
            if f"|{life.of.task_id}|" in Path(f"/proc/{life.pid}/environ").read_text(errors="replace"):
                found.append(life)
    return found
