"""Submitting, through the client and without it."""

from __future__ import annotations

from benchmarks.children import Service, measure
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample

WAYS = ("bare in parts", "client", "bare one by one", "client one by one")


def run(plan: Plan) -> Section:
    """Submit many jobs at once, and fewer of them one by one."""
    raw: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with Service("-m", "benchmarks.servers.event_server") as server:
        for _ in range(plan.runs):
            for way in WAYS:
                jobs = plan.submits_alone if "one by one" in way else plan.submits
                raw[way].append(measure("benchmarks.measures.submit", target=server.target, jobs=jobs, way=way))
    table = Table(f"{plan.submits} jobs at once, {plan.submits_alone} one by one", ["way", "jobs/s", "CPU µs per job"])
    for way, runs in raw.items():
        rate, cost = Sample.of(one["rate"] for one in runs), Sample.of(one["us_per_job"] for one in runs)
        table.rows.append([way, rate, cost])
    share = Sample.of(
        ours["rate"] / bare["rate"] for ours, bare in zip(raw["client"], raw["bare in parts"], strict=True)
    )
    targets = [Target("submit rate, as a share of a bare stub's", share.median, 0.7, at_least=True)]
    notes = [
        "The request items are made beforehand; `bare` calls the stub with parts of 500 items, as the client would "
        "at its limit in bytes; the server only counts and answers. The target of this scenario is our own, and near "
        "what the client needs: it looks at each item and adds up its size, so that no part goes over the server's "
        "limit."
    ]
    return Section("submit", "Submitting", notes, [table], targets, raw=dict(raw))
