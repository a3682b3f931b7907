"""Does anything grow with the length of a job?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.children import Service, measure
from benchmarks.measures.length import SHORTEST
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample
from benchmarks.svg import line_chart

LENGTHS = {60: "1 min", 600: "10 min", 3_600: "1 h", 21_600: "6 h", 86_400: "1 day"}
CASES = {"1 job": (1, False), "100 jobs": (100, False), "1 silent job": (1, True), "100 silent jobs": (100, True)}
POLL = 30.0
PEER_CALLS_PER_POLL = 2


def run(plan: Plan) -> Section:
    """Count the calls for jobs of 1 minute to 1 day."""
    with ThreadPoolExecutor() as pool:
        raw = dict(zip(CASES, pool.map(lambda case: _count(plan, *case), CASES.values()), strict=True))
    table = Table(
        "Calls for one job set", ["in the set", "length", "event streams", "snapshots", "calls per job with its submit"]
    )
    for name, runs in raw.items():
        for one in runs:
            cells = [Sample.of([value]) for value in (one["streams"], one["all"] - one["streams"], _per_job(one))]
            table.rows.append([name, LENGTHS[one["seconds"]], *cells])
    longest = LENGTHS[plan.lengths[-1]]
    targets = [
        Target(f"calls per job of {longest}, {name} in the set", _per_job(runs[-1]), 2) for name, runs in raw.items()
    ]
    streams = max(one["streams"] for runs in raw.values() for one in runs)
    targets.append(Target(f"event-stream calls of a job set in {longest}", streams, 1.05))
    notes = [
        f"The follower's waiting times are {plan.clock:g} times shorter than in production, so that a day passes in "
        f"{86_400 / plan.clock:.0f} s, but none is shorter than {SHORTEST:g} s. The cases run side by side: calls are "
        "counted, not timed. Armada tells of a running pod every 5 minutes (`utilisation`). The silent jobs are of a "
        "cluster that does not, or hang in a queue: of those a snapshot is taken after 10 minutes, and then at growing "
        "intervals of up to an hour, for up to 500 jobs with one call. That is the price of finding an end that no "
        "event told, and why a single silent job of a day does not keep to the target: without snapshots an event that "
        "was lost would be waited for without end, and with fewer its task would hang for hours. The peer polls: two "
        "calls per job every 30 s."
    ]
    return Section("growth", "Growth with a job's length", notes, [table], targets, _plots(raw), dict(raw))


def _count(plan: Plan, jobs: int, silent: bool) -> list[dict[str, Any]]:
    """Count the calls of one case; calls do not mind that other cases run beside it."""
    with Service("-m", "benchmarks.servers.event_server") as server:
        wanted = {"target": server.target, "jobs": jobs, "clock": plan.clock, "silent": silent}
        return [measure("benchmarks.measures.length", seconds=seconds, **wanted) for seconds in plan.lengths]


def _per_job(one: dict[str, Any]) -> float:
    return 1 + float(one["all"]) / float(one["jobs"])


def _plots(raw: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    hours = [one["seconds"] / 3600 for one in next(iter(raw.values()))]
    series = {f"ours, {name}": list(zip(hours, map(_per_job, runs), strict=True)) for name, runs in raw.items()}
    series["peer"] = [(length, 2 + PEER_CALLS_PER_POLL * length * 3600 / POLL) for length in hours]
    title = "Calls per job against its length"
    chart = line_chart(title, "length of the job, h", "calls to Armada per job", series, log_x=True, log_y=True)
    return {"growth-length.svg": chart}
