"""Tasks of a minute on real Airflow: ours, the peer's, and what Airflow itself costs."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from benchmarks import peer_env
from benchmarks.children import ROOT, Service
from benchmarks.plan import Plan
from benchmarks.report import Cell, Section, Table, Target
from benchmarks.stats import Sample, percentile

DAGS = ROOT / "benchmarks" / "dags"
IDLE = 20.0
SPREAD = 0.25
"""Share by which the jobs are shorter and longer than their average, so that none of a poll's phases is favoured."""

CASES = {
    "ours": ("ours", "bench_ours"),
    "ours, ended by the trigger": ("ours", "bench_trigger_end"),
    "peer": ("peer", "bench_peer"),
    "bare deferral": ("ours", "bench_deferral"),
    "no-op task": ("ours", "bench_noop"),
    "bare deferral, the peer's Airflow": ("peer", "bench_deferral"),
    "no-op task, the peer's Airflow": ("peer", "bench_noop"),
}

ONCE = ("no-op task", "bare deferral, the peer's Airflow", "no-op task, the peer's Airflow")
"""What no target rests on is run once, for its place beside the others."""

PROFILE = (
    "Where ours goes beyond a bare deferral, by a sampling profile of all processes (py-spy, 20 tasks): most of it "
    "is in the first start, whose worker renders the templates, checks and builds the job, and submits it. That is "
    "some 70 ms of imports (gRPC 16, protobuf 12, the messages 7, our own modules the rest), and some 40 ms of "
    "work. The rest is five calls to the execution API (rendered fields, the note of the intent and of the job's "
    "id, an XCom with the job, the return value), at some 18 ms each in the worker, its supervisor and the API "
    "server together. Tried and kept: one XCom and one note where there were several (11 calls instead of 19), "
    "imports at first use, a resume without gRPC and protobuf, no reading of the state store in a first try, the "
    "rendered job stored with the other rendered fields. Not done: leaving out the note of the intent or of the id. "
    "They are what keeps a worker that dies from leaving a second job behind. A third of the peer's CPU is out of "
    "reach with two starts, which cost Airflow alone about that much. A task that ends in the trigger has one, but "
    "is not cheaper for Airflow as a whole: for each such end Airflow sends the DAG processor a callback "
    "(`models/trigger.py`), for which that parses the DAG's file, and which for a success does nothing."
)

Runs = dict[str, list[dict[str, Any]]]
Idle = Mapping[str, Mapping[str, float]]
"""Cores that each component uses on each side when there is nothing to do."""


def run(plan: Plan) -> Section:
    """Run the DAGs in turn, on two Airflows that are up at the same time."""
    python = {"ours": plan.python, "peer": peer_env.ensure()}
    home = Path(tempfile.mkdtemp(prefix="airflow-armada-bench-"))
    try:
        with ExitStack() as stack:
            # The peer's operator has no way to send a token over plain text.
            everybody = Credentials(anonymous=True)
            armada = stack.enter_context(StandaloneArmada(cpus=1000, memory="1000Gi", credentials=everybody))
            armada.create_queue("bench")
            sides = {
                name: stack.enter_context(_airflow(name, python[name], home, armada.target, plan)) for name in python
            }
            _warm_up(sides)
            idle = {name: side.ask(do="idle", seconds=IDLE) for name, side in sides.items()}
            runs = _measure(plan, armada, sides, idle)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return _tell(plan, runs, idle)


@contextmanager
def _airflow(name: str, python: Path, home: Path, target: str, plan: Plan) -> Iterator[Service]:
    own = f"bench_{name}"
    variables = {
        "BENCH_TASKS": str(plan.tasks),
        "BENCH_SECONDS": str(plan.job_seconds),
        "BENCH_LENGTHS": ",".join(f"{seconds:g}" for seconds in _lengths(plan)),
        "BENCH_ARMADA": target,
        "PYTHONPATH": str(ROOT),
    }
    order = {
        "home": str(home / name),
        "dag_folders": [str(DAGS / "floor"), str(DAGS / name)],
        "target": target,
        "env": variables,
        "dags": [own, "bench_noop", "bench_deferral"],
    }
    with Service("-m", "benchmarks.airflow_side", json.dumps(order), python=python, grace=60) as side:
        yield side


def _lengths(plan: Plan) -> list[float]:
    return [plan.job_seconds * (1 - SPREAD + 2 * SPREAD * number / plan.tasks) for number in range(plan.tasks)]


def _warm_up(sides: Mapping[str, Service]) -> None:
    """Let the first task pay for what Airflow builds at the first use."""
    for side in sides.values():
        side.ask(do="run", dag="bench_noop", deadline=180)


def _measure(plan: Plan, armada: StandaloneArmada, sides: Mapping[str, Service], idle: Idle) -> Runs:
    runs: Runs = {name: [] for name in CASES}
    deadline = plan.job_seconds * 4 + plan.tasks * 4 + 60
    for number in range(plan.e2e_runs):
        for name, (where, dag) in CASES.items():
            if number and name in ONCE:
                continue
            calls, known = armada.calls, set(armada.jobs)
            one = sides[where].ask(do="run", dag=dag, deadline=deadline)
            ended = {task: at for job, (task, at) in _ends(armada).items() if job not in known}
            one["rpcs"] = dict(armada.calls - calls)
            one["late"] = [at["end_date"] - ended[task] for task, at in one["tasks"].items() if task in ended]
            one["over_idle"] = {
                component: (used - idle[where][component] * one["measured"]) / plan.tasks
                for component, used in one["cpu"].items()
            }
            runs[name].append(one)
    return runs


def _ends(armada: StandaloneArmada) -> dict[str, tuple[str, float]]:
    """Return, by job, its task and when it ended; the end of its command line names the task."""
    found = {}
    for job_id, job in armada.jobs.items():
        task = re.search(r"t\d+$", job.pod_spec.containers[0].args[-1])
        if task:
            found[job_id] = task[0], job.history[-1][0]
    return found


def _figures(plan: Plan, one: dict[str, Any]) -> dict[str, float]:
    calls, late, tasks = one["calls"], one["late"], plan.tasks
    return {
        "RPCs to Armada": sum(one["rpcs"].values()) / tasks,
        "worker starts": calls.get("task-instances/run", 0) / tasks,
        "execution API calls": sum(calls.values()) / tasks,
        "CPU s over idle": sum(one["over_idle"].values()),
        "job's end to task's end, p50 s": percentile(late, 50) if late else float("nan"),
        "job's end to task's end, p95 s": percentile(late, 95) if late else float("nan"),
        "the whole run, s": one["wall"],
    }


def _tell(plan: Plan, runs: Runs, idle: Idle) -> Section:
    figures = {name: [_figures(plan, one) for one in of] for name, of in runs.items()}
    columns = list(figures["ours"][0])
    table = Table(f"{plan.tasks} tasks of {plan.job_seconds} s on average, per task", ["", *columns, "failed tasks"])
    for name, of in figures.items():
        cells: list[Cell] = [Sample.of(one[column] for one in of if one[column] == one[column]) for column in columns]
        failed = sum(task["state"] != "success" for one in runs[name] for task in one["tasks"].values())
        table.rows.append([name, *cells, str(failed)])
    notes = [
        "Both Airflows are up at the same time (LocalExecutor, SQLite, the settings of the test harness) and take "
        f"turns; idle they use {sum(idle['ours'].values()):.3f} and {sum(idle['peer'].values()):.3f} cores, which is "
        "subtracted. The embedded Armada and its jobs run outside of what is counted. The jobs are of "
        f"{plan.job_seconds * (1 - SPREAD):g} to {plan.job_seconds * (1 + SPREAD):g} s, so that no phase of a poll is "
        "favoured. The peer is `armada-airflow` 1.1.3 on Airflow 3.2.2, deferrable, with its default poll interval of "
        "30 s."
    ]
    section = Section("end_to_end", "End to end on real Airflow", [*notes, PROFILE], [table])
    section.raw = {"runs": runs, "idle": idle}
    section.tables += [_cpu_table(runs), _call_table(plan, runs)]
    section.targets = _targets(figures, runs)
    return section


def _cpu_table(runs: Runs) -> Table:
    """Show which process the CPU time is spent in."""
    components = list(runs["ours"][0]["over_idle"])
    table = Table("CPU over idle by component, ms per task", ["", *components])
    for name, of in runs.items():
        cells = [Sample.of(one["over_idle"][component] * 1000 for one in of) for component in components]
        table.rows.append([name, *cells])
    return table


def _call_table(plan: Plan, runs: Runs) -> Table:
    """Show what the calls are, of the last run of each."""
    table = Table("Which calls, in all tasks of the last run", ["", "execution API", "Armada"])
    for name, of in runs.items():
        cells = [
            ", ".join(f"{key} {count}" for key, count in sorted(of[-1][what].items())) for what in ("calls", "rpcs")
        ]
        table.rows.append([name, *cells])
    return table


def _targets(figures: dict[str, list[dict[str, float]]], runs: Runs) -> list[Target]:
    def median(name: str, column: str) -> float:
        return Sample.of(one[column] for one in figures[name]).median

    late, cpu = "job's end to task's end, p50 s", "CPU s over idle"
    imported = max(len(one["imported"]) if one["imported"] is not None else 9 for one in runs["ours"])
    return [
        Target("RPCs per job", median("ours", "RPCs to Armada"), 2),
        Target("worker starts", median("ours", "worker starts"), 2),
        Target("execution API calls", median("ours", "execution API calls"), 12),
        Target("times sooner than the peer, p50", median("peer", late) / median("ours", late), 4, at_least=True),
        Target("CPU, as a share of the peer's", median("ours", cpu) / median("peer", cpu), 1 / 3),
        Target("CPU, as a multiple of a bare deferral's", median("ours", cpu) / median("bare deferral", cpu), 2),
        Target("grpc and protobuf imported by a resume with nothing to fetch", imported, 0),
    ]
