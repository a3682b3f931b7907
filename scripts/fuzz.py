"""Random input for every reader of what comes from outside: ``python -m scripts.fuzz --minutes 10``.

Each test named ``test_fuzz_...`` runs for that many minutes in a process of its own, at the lowest priority. A table at
the end says how many examples each of them has seen. Exit code 1 if one has failed; the others run on.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "fuzz"
PYTEST = (sys.executable, "-m", "pytest", "-q", "--timeout=0")
RUN = 120.0
"""Seconds that one run takes about, so that a machine that becomes busy does not make the last one much longer."""
FIRST = 200
"""Examples of a first run, which shows how many a second there are."""
FEWEST = 20
MOST = 20_000
"""Examples of one run: Hypothesis keeps what it has tried in memory."""


@dataclass(frozen=True)
class Fuzzed:
    """What came of one test."""

    test: str
    seconds: float
    examples: int
    failed: bool

    def row(self) -> str:
        """Return a line of the table."""
        verdict = "FAILED" if self.failed else "clean"
        return f"{self.test.partition('::')[2]:80} {self.seconds / 60:6.1f} min {self.examples:>9,} examples  {verdict}"


def tests(where: list[str]) -> list[str]:
    """Return the ids of all fuzz tests below some folders."""
    done = subprocess.run(
        [*PYTEST, "--collect-only", "-k", "test_fuzz_", *where], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = [line.partition("[")[0] for line in done.stdout.splitlines() if "::test_fuzz_" in line]
    return list(dict.fromkeys(found))


def examples_in(report: str) -> int:
    """Return how many examples a report of Hypothesis counts, of all its phases."""
    return sum(int(passing) + int(failing) for passing, failing in re.findall(r"(\d+) passing.*?(\d+) failing", report))


def fuzz(test: str, minutes: float) -> Fuzzed:
    """Run one test again and again until its time is up, or it fails; what it prints is kept in a file."""
    begun, examples, runs = time.monotonic(), 0, 0
    with (LOGS / f"{test.rpartition('::')[2]}.log").open("w") as log:
        while not runs or (left := begun + 60 * minutes - time.monotonic()) > 0:
            some = int(examples / (time.monotonic() - begun) * min(left, RUN)) if runs else FIRST
            runs += 1
            done = subprocess.run(
                [*PYTEST, "--hypothesis-show-statistics", test],
                cwd=ROOT,
                env={**os.environ, "HYPOTHESIS_PROFILE": "fuzz", "FUZZ_EXAMPLES": str(min(max(some, FEWEST), MOST))},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
            log.write(done.stdout)
            log.flush()
            examples += examples_in(done.stdout)
            if done.returncode:
                break
    result = Fuzzed(test, time.monotonic() - begun, examples, failed=bool(done.returncode))
    print(result.row(), flush=True)
    return result


def main() -> int:
    """Run every fuzz test, some beside each other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long each test runs")
    parser.add_argument("--beside", type=int, default=os.cpu_count() or 1, help="how many run beside each other")
    parser.add_argument("where", nargs="*", default=["tests/unit"], help="folders, files or single tests")
    given = parser.parse_args()
    os.nice(19)
    LOGS.mkdir(parents=True, exist_ok=True)
    found = tests(given.where)
    print(f"{len(found)} tests, {given.minutes:g} minutes each, {given.beside} beside each other: {LOGS}/", flush=True)
    with ThreadPoolExecutor(given.beside) as pool:
        results = list(pool.map(lambda test: fuzz(test, given.minutes), found))
    print("\n" + "\n".join(result.row() for result in results))
    failed = [result for result in results if result.failed]
    for result in failed:
        print(f"FAILED: {result.test}, see {LOGS / result.test.rpartition('::')[2]}.log")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
