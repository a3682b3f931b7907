"""Look the pinned and the lowest declared versions up in an index of vulnerabilities: ``python -m scripts.audit``.

Exit code 1 for a known vulnerability. Where no index can be had it says so, and passes unless ``--strict`` is given.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.environment import CONSTRAINTS, ROOT, pyproject

PIP_AUDIT = ROOT / ".venv-tools" / "bin" / "pip-audit"
CHOSEN_BY_USERS = "apache-airflow"  # its bound names a minor version, of which everybody takes the newest patch


def lowest_versions() -> list[str]:
    """Return the lowest version of each dependency, as pins."""
    bounds = [re.match(r"([a-z-]+)>=([\d.]+)", need) for need in pyproject()["project"]["dependencies"]]
    return [f"{found[1]}=={found[2]}" for found in bounds if found and found[1] != CHOSEN_BY_USERS]


def ask(name: str, pins: list[str]) -> tuple[int, int]:
    """Look pins up, print what is known, and return how many were looked up and how many are vulnerable."""
    answers = [answer for batch in batches(pins) for answer in ask_once(name, batch) if "vulns" in answer]
    bad = [answer for answer in answers if answer["vulns"]]
    for one in bad:
        for flaw in one["vulns"]:
            mended = ", ".join(flaw["fix_versions"]) or "no version"
            print(f"{name}: {one['name']} {one['version']}: {flaw['id']}, mended in {mended}")
    print(f"{name}: {len(answers)} of {len(pins)} looked up, {len(bad)} with known vulnerabilities")
    return len(answers), len(bad)


def batches(pins: list[str]) -> list[list[str]]:
    """Split pins so that no package comes twice in a batch: pip-audit refuses that."""
    found: list[dict[str, str]] = []
    for pin in pins:
        name = pin.partition("==")[0]
        batch = next((batch for batch in found if name not in batch), None)
        if batch is None:
            found.append(batch := {})
        batch[name] = pin
    return [list(batch.values()) for batch in found]


def ask_once(name: str, pins: list[str]) -> list[dict[str, Any]]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        command = [str(PIP_AUDIT), "--requirement", file.name, "--no-deps", "--disable-pip", "--format=json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        print(f"{name}: {(done.stderr.strip().splitlines() or ['pip-audit said nothing'])[-1]}")
        return []
    answers: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return answers


def main() -> int:
    sources = {"lowest declared": lowest_versions()}
    sources |= {f"constraints/{file.name}": pins(file) for file in sorted(CONSTRAINTS.glob("*.txt"))}
    looked_up, bad = (sum(column) for column in zip(*(ask(*source) for source in sources.items()), strict=True))
    if not looked_up:
        print("=== NOT AUDITED: no index of vulnerabilities can be reached from here")
        return int("--strict" in sys.argv)
    print(f"=== {looked_up} versions looked up, {bad} with known vulnerabilities")
    return int(bad > 0)


def pins(file: Path) -> list[str]:
    return [line.partition(";")[0].strip() for line in file.read_text().splitlines() if "==" in line]


if __name__ == "__main__":
    sys.exit(main())
