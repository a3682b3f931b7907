"""Does anything grow with the length of a job?"""

from __future__ import annotations

from typing import Any

from benchmarks.children import Service, measure
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample
from benchmarks.svg import line_chart

LENGTHS = {"1 min": 60, "10 min": 600, "1 h": 3_600, "6 h": 21_600, "1 day": 86_400}
JOBS = (1, 100)
POLL = 30.0
PEER_CALLS_PER_POLL = 2


def run(plan: Plan) -> Section:
    """Count the calls for jobs of 1 minute to 1 day."""
    raw: list[dict[str, Any]] = []
    with Service("-m", "benchmarks.servers.event_server") as server:
        for jobs in JOBS:
            for seconds in LENGTHS.values():
                wanted = {"target": server.target, "jobs": jobs, "seconds": seconds, "clock": plan.clock}
                raw.append(measure("benchmarks.measures.length", **wanted))
    names = {seconds: name for name, seconds in LENGTHS.items()}
    table = Table(
        "Calls for one job set", ["jobs", "length", "event streams", "snapshots", "calls per job with its submit"]
    )
    for one in raw:
        per_job = 1 + one["all"] / one["jobs"]
        cells = [Sample.of([value]) for value in (one["streams"], one["all"] - one["streams"], per_job)]
        table.rows.append([str(one["jobs"]), names[one["seconds"]], *cells])
    longest = [one for one in raw if one["seconds"] == max(LENGTHS.values())]
    targets = [
        Target(f"calls per job of a day, {one['jobs']} in the set", 1 + one["all"] / one["jobs"], 2) for one in longest
    ]
    targets += [Target("event-stream calls of a job set in a day", max(one["streams"] for one in longest), 1.05)]
    notes = [
        f"The follower's waiting times are {plan.clock:g} times shorter than in production, so that a day passes in "
        f"{86_400 / plan.clock:.0f} s; jobs run silently all the time, which is the worst case: every event that "
        "comes makes a snapshot or a new stream unnecessary. The peer polls: two calls per job every 30 s."
    ]
    return Section("growth", "Growth with a job's length", notes, [table], targets, _plots(raw), {"lengths": raw})


def _plots(raw: list[dict[str, Any]]) -> dict[str, str]:
    series = {
        f"ours, {jobs} jobs in the set": [
            (one["seconds"] / 3600, 1 + one["all"] / one["jobs"]) for one in raw if one["jobs"] == jobs
        ]
        for jobs in JOBS
    }
    series["peer, polling"] = [
        (seconds / 3600, 2 + PEER_CALLS_PER_POLL * seconds / POLL) for seconds in LENGTHS.values()
    ]
    title = "Calls per job against its length"
    chart = line_chart(title, "length of the job, h", "calls to Armada per job", series, log_x=True, log_y=True)
    return {"growth-length.svg": chart}
