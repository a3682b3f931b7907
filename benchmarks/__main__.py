"""``python -m benchmarks [--quick] [--only NAME ...]``: measure everything, write one report."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import time
import traceback
from pathlib import Path

from benchmarks import guide, report
from benchmarks.plan import FULL, QUICK, Plan

SCENARIOS = ("imports", "follow", "growth", "logs", "submit", "end_to_end", "scale")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and one run of each, for trying")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=SCENARIOS, help="these scenarios and no others")
    parser.add_argument("--runs", type=int, help="take each figure so often")
    parser.add_argument(
        "--out", type=Path, help="folder of the report (benchmarks/, or .cache/bench when not all is run)"
    )
    return parser.parse_args(arguments)


def run(name: str, plan: Plan) -> report.Section:
    """Run one scenario; if it fails, its section says so and the others still run."""
    begun = time.monotonic()
    print(f"[bench] {name} ...", flush=True)
    try:
        section: report.Section = importlib.import_module(f"benchmarks.scenarios.{name}").run(plan)
    except Exception:
        traceback.print_exc()
        section = report.Section(name, f"{name} (failed)", [f"```\n{traceback.format_exc()[-2000:]}\n```"])
    section.seconds = time.monotonic() - begun
    print(f"[bench] {name}: {section.seconds:.0f} s", flush=True)
    return section


def main() -> int:
    arguments = parse()
    plan = QUICK if arguments.quick else FULL
    if arguments.runs:
        plan = dataclasses.replace(plan, runs=arguments.runs, import_runs=arguments.runs, e2e_runs=arguments.runs)
    complete = tuple(arguments.only) == SCENARIOS and not arguments.quick
    folder = arguments.out or (Path("benchmarks") if complete else Path(".cache/bench"))
    sections = [run(name, plan) for name in arguments.only]
    path = report.write(folder, sections, plan.name)
    if complete:
        guide.write(path.with_suffix(".json"))
    print(f"[bench] {path}")
    return 1 if any(section.title.endswith("(failed)") for section in sections) else 0


if __name__ == "__main__":
    raise SystemExit(main())
