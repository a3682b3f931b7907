"""Writes the figures of a report into the operating guide: ``python -m benchmarks.guide [report.json]``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT
from benchmarks.stats import Sample

GUIDE = ROOT / "docs" / "operating.md"

SIZING_HEAD = (
    "| jobs followed | in job sets | memory beyond Airflow's trigger | woken after an event, p50 / p99 "
    "| CPU when nothing happens |\n|---|---|---|---|---|\n"
)


def replace_block(text: str, name: str, rows: str) -> str:
    """Put lines between the two comments that mark a block.

    :raises ValueError: when there is no such block
    """
    block = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- bench:end -->)", re.DOTALL)
    if not block.search(text):
        raise ValueError(f"the guide has no block {name!r}")
    return block.sub(lambda found: found[1] + rows + found[2], text, count=1)


def sizing(followers: list[dict[str, Any]]) -> str:
    """Return the sizing table."""
    rows = [SIZING_HEAD]
    for jobs, sets in sorted({(one["jobs"], one["job_sets"]) for one in followers}):
        runs = [one for one in followers if (one["jobs"], one["job_sets"]) == (jobs, sets)]
        memory = Sample.of((one["bytes_per_job"] - one["floor_bytes_per_job"]) * jobs / 1e6 for one in runs).median
        p50, p99 = (Sample.of(one[key] * 1000 for one in runs).median for key in ("p50", "p99"))
        idle = Sample.of(one["idle_cpu_share"] * 100 for one in runs).median
        rows.append(f"| {jobs:,} | {sets:,} | {memory:.1f} MB | {p50:.0f} / {p99:.0f} ms | {idle:.1f} % of a core |\n")
    return "".join(rows)


def peer(table: dict[str, Any]) -> str:
    """Return the table of the end-to-end scenario, the medians only."""

    def cell(value: Any) -> str:
        return str(Sample.of([Sample(tuple(value["values"])).median])) if isinstance(value, dict) else str(value)

    lines = [
        table["columns"],
        ["---"] * len(table["columns"]),
        *([cell(value) for value in row] for row in table["rows"]),
    ]
    return f"{table['title']}:\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(report: Path) -> None:
    """Bring the guide up to date with a report."""
    sections = {section["name"]: section for section in json.loads(report.read_text())["sections"]}
    text = GUIDE.read_text()
    if "followers" in sections.get("follow", {}).get("raw", {}):
        text = replace_block(text, "sizing", sizing(sections["follow"]["raw"]["followers"]))
    if sections.get("end_to_end", {}).get("tables"):
        text = replace_block(text, "peer", peer(sections["end_to_end"]["tables"][0]))
    GUIDE.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks" / "report.json")
