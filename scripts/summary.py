"""Add up the JUnit reports of the test stages: ``python -m scripts.summary FOLDER``."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path


def main(folder: Path) -> int:
    totals: Counter[str] = Counter()
    for report in sorted(folder.glob("*.xml")):
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
        for name in ("tests", "failures", "errors", "skipped"):
            totals[name] += int(suite.get(name, 0))
        totals["seconds"] += round(float(suite.get("time", 0)))
    bad = totals["failures"] + totals["errors"]
    passed = totals["tests"] - bad - totals["skipped"]
    print(f"=== {passed} passed, {bad} failed, {totals['skipped']} skipped in {totals['seconds']}s ===")
    return 1 if bad or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
