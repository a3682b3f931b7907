"""Many deferred tasks on a whole Airflow, killed or ending at once: the figures of ``make scale``."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target

LAST_CANCEL = "s from the kill to the last cancel"
BYSTANDER, ALONE = "s of a bystander, while all are killed", "s of a bystander, alone"


def run(plan: Plan) -> Section:
    """Run the stage and take over what it measured."""
    with tempfile.TemporaryDirectory(prefix="armada-scale-") as folder:
        report = Path(folder) / "scale.xml"
        subprocess.run(
            [plan.python, "-m", "pytest", "-q", "tests/scale", f"--basetemp={folder}/run", f"--junit-xml={report}"],
            env={**os.environ, "SCALE_N": str(plan.scale)},
            check=False,
        )
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    table = Table(f"{plan.scale} deferred tasks, one triggerer, PostgreSQL", ["case", "what", "s"])
    figures: dict[str, float] = {}
    for case in cases:
        for one in case.iter("property"):
            figures[one.attrib["name"]] = float(one.attrib["value"])
            table.rows.append([case.attrib["name"].removeprefix("test_").replace("_", " "), *one.attrib.values()])
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    targets = [Target("cases in which a job or a line is lost, doubled or left", failed, 0)]
    if LAST_CANCEL in figures:
        targets.append(Target(LAST_CANCEL, figures[LAST_CANCEL], 60, "s"))
    if ALONE in figures and BYSTANDER in figures:
        targets.append(Target("delay of a bystander by the kill", figures[BYSTANDER] - figures[ALONE], 5, "s"))
    notes = [
        "The tasks are seeded as `defer` leaves them, since Airflow starts about one worker a second here; triggers, "
        "kills, ends, logs and the bystander are real. What runs on the machine, what the server knows and what "
        "Airflow shows are compared; of logs, each line."
    ]
    return Section("scale", "Many tasks at once", notes, [table], targets, raw=dict(figures))
