"""The logs of many jobs that write at once."""

from __future__ import annotations

from typing import Any

from benchmarks.children import Service, measure
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample

RATE = 20.0
CASES = {"within a triggerer's budget, the rest by workers": True, "all of it live": False}


def run(plan: Plan) -> Section:
    """Follow jobs that write 20 lines a second, with and without the budget of a triggerer."""
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
    with Service("-m", "benchmarks.servers.event_server") as server:
        for _ in range(plan.runs):
            for name, budget in CASES.items():
                wanted = {"target": server.target, "jobs": plan.log_jobs, "seconds": plan.log_seconds, "rate": RATE}
                raw[name].append(measure("benchmarks.measures.logs", budget=budget, **wanted))
    columns = ["case", "lines", "shown live", "lost", "twice", "lag p50 s", "lag p99 s", "log calls per job and s"]
    table = Table(f"{plan.log_jobs} jobs write {RATE:g} lines a second for {plan.log_seconds:g} s", columns)
    table.columns = [*columns, "CPU share of a core", "loop blocked ms"]
    for name, runs in raw.items():
        row = [Sample.of(one[key] for one in runs) for key in ("lines", "live", "lost", "twice")]
        row += [Sample.of(one["lag"].get(key, 0) for one in runs) for key in ("p50", "p99")]
        row += [Sample.of(one[key] for one in runs) for key in ("calls_per_job_and_second", "cpu_share")]
        table.rows.append([name, *row, Sample.of(one["worked"] * 1000 for one in runs)])
    everything = [one for runs in raw.values() for one in runs]
    targets = [
        Target("lines lost, shown twice or out of order", sum(_wrong(one) for one in everything), 0),
        Target("the loop blocked", max(one["worked"] for one in everything) * 1000, 50, "ms"),
    ]
    notes = [
        "Lag is from a line's timestamp to the reporter, for the lines shown while the job runs and at its end. The "
        "reporter writes nowhere: what Airflow's own log pipe takes is the reason for the budget."
    ]
    return Section("logs", "Logs", notes, [table], targets, raw=dict(raw))


def _wrong(one: dict[str, Any]) -> float:
    return float(one["lost"] + one["twice"] + one["disordered"])
