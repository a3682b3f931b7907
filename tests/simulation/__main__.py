"""``python -m tests.simulation``: lives from fresh seeds, or one life again, as a table of who did what when."""

from __future__ import annotations

import argparse
import os
import secrets
import time
from collections import Counter

from tests.simulation import coverage
from tests.simulation.drawing import draw
from tests.simulation.drawn import Life
from tests.simulation.life import Record, live, shrunk
from tests.simulation.many import live_many, say_nothing
from tests.simulation.mutations import MUTATIONS, find


def report(life: Life, record: Record) -> str:
    """Show a life as a person reads it."""
    lines = [
        f"seed {life.seed}: {len(record.broken)} broken",
        f"  options: {life.options}, {life.tasks} tasks, store {life.has_store}",
        *(f"  fault: {spell}" for spell in life.spells),
        *(f"  action: {action}" for action in life.actions),
        *(f"{at} {who:9} {what}" for at, who, what in record.table),
        *(f"BROKEN: {one}" for one in record.broken),
    ]
    return "\n".join(lines)


def find_all(limit: int, only: str) -> int:
    """Look for a life that misses each of the rules, and print its seed."""
    missing = 0
    for name in MUTATIONS:
        if only in name:
            seed = find(name, range(limit))
            print(f"{seed if seed is not None else 'none':>6}  {name}", flush=True)
            missing += seed is None
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="one life, shown whole")
    parser.add_argument("--lives", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument(
        "--from", dest="first", type=int, default=None, help="first of the seeds, instead of a fresh one"
    )
    parser.add_argument(
        "--mutations", metavar="NAME", nargs="?", const="", help="look for lives that miss each rule, or one of them"
    )
    arguments = parser.parse_args()
    say_nothing()
    if arguments.mutations is not None:
        return find_all(arguments.lives, arguments.mutations)
    if arguments.seed is not None:
        life = draw(arguments.seed)
        record = live(life)
        print(report(life, record))
        return bool(record.broken)
    first = secrets.randbelow(1 << 40) if arguments.first is None else arguments.first
    began, failed = time.monotonic(), 0
    met: Counter[tuple[str, str]] = Counter()
    moves: Counter[str] = Counter()
    for part in live_many(first, arguments.lives, arguments.workers):
        met += part.met
        moves += part.moves
        for seed in part.broken:
            failed += 1
            small = shrunk(draw(seed))
            print(report(small, live(small)), flush=True)
    seconds = time.monotonic() - began
    print(
        f"{arguments.lives} lives from seed {first}, {failed} broken; {arguments.lives / seconds * 60:.0f} a minute, "
        f"by {arguments.workers} processes"
    )
    print(coverage.report(met, moves))
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
