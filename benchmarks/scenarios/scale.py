"""Many deferred tasks on a whole Airflow, killed or ending at once: the figures of ``make scale``.

``python -m benchmarks.scenarios.scale REPORT ...`` puts what runs of the stage have measured into the report, and
leaves its other sections as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target, join

LAST_CANCEL = "s from the kill to the last cancel"
KILL, BARE_KILL = "s of a bystander, while all are killed", "s of a bystander, while idle triggers are killed"
QUIET = "s of a bystander, before anybody writes"
WRITING, ENDING = "s of a bystander, while 200 jobs write", "s of a bystander, while 200 writers end"
LOOP = "ms of the longest callback of ours"
NOTES = [
    "The tasks are seeded as `defer` leaves them, since Airflow starts about one worker a second here; triggers, "
    "kills, ends, logs, the bystander and the tasks that wait on workers are real. What runs on the machine, what the "
    "server knows and what Airflow shows are compared; of logs, each line.",
    "A thread in the triggerer looks at the stack of its event loop when a turn is late. What has a frame of this "
    "package on it counts as ours, without the time in which the thread waited for a CPU, and without garbage "
    "collection. The rest is Airflow's.",
]


@dataclass
class Measured:
    """What a run of the stage has measured.

    :param airflow: version of Airflow
    :param tasks: how many there were at a time
    :param failed: cases that failed
    :param seconds: how long it took
    :param figures: by the names of a case and of a figure
    """

    airflow: str = ""
    tasks: int = 0
    failed: int = 0
    seconds: float = 0.0
    figures: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def read(cls, report: Path) -> Measured:
        """Read what pytest wrote."""
        root = ElementTree.parse(report).getroot()
        about = {one.attrib["name"]: one.attrib["value"] for one in root.iterfind("./testsuite/properties/property")}
        found = cls(about["airflow"], int(about["tasks"]))
        found.seconds = sum(float(suite.attrib["time"]) for suite in root.iter("testsuite"))
        for case in root.iterfind(".//testcase[@name]"):  # one that was interrupted has no name
            found.failed += case.find("failure") is not None or case.find("error") is not None
            name = case.attrib["name"].removeprefix("test_").replace("_", " ")
            for one in case.iter("property"):
                found.figures[name, one.attrib["name"]] = float(one.attrib["value"])
        return found

    def worst(self, name: str) -> float:
        """Return the highest value of a figure in all cases; not a number where none has it."""
        return max((value for (_, what), value in self.figures.items() if what == name), default=float("nan"))

    def targets(self) -> Iterator[Target]:
        """Give what the project has promised."""
        on = f"Airflow {self.airflow}, {self.tasks} tasks"
        quiet = self.worst(QUIET)
        delay = self.worst(KILL) - self.worst(BARE_KILL)
        yield Target(f"{on}: cases in which a job or a line is lost, doubled or left", self.failed, 0)
        yield Target(f"{on}: {LAST_CANCEL}", self.worst(LAST_CANCEL), 60, "s")
        yield Target(f"{on}: delay of a bystander by the kill, beyond that of as many idle triggers", delay, 5, "s")
        yield Target(f"{on}: latency of a bystander while 200 jobs write", self.worst(WRITING) / quiet, 2, "times")
        yield Target(f"{on}: latency of a bystander while 200 writers end", self.worst(ENDING) / quiet, 2, "times")
        yield Target(f"{on}: {LOOP}", self.worst(LOOP), 50, "ms")


def run(plan: Plan) -> Section:
    """Run the stage and take over what it measured."""
    with tempfile.TemporaryDirectory(prefix="armada-scale-") as folder:
        report = Path(folder) / "scale.xml"
        subprocess.run(
            [
                *(plan.python, "-m", "pytest", "-q", "tests/scale", f"--basetemp={folder}/run"),
                *("-o", "junit_family=xunit1", f"--junit-xml={report}"),
            ],
            env={**os.environ, "SCALE_N": str(plan.scale)},
            check=False,
        )
        return section([Measured.read(report)])


def section(runs: Sequence[Measured]) -> Section:
    """Return what is told of runs of the stage, side by side."""
    columns = ["case", "what", *(f"Airflow {one.airflow}, {one.tasks} tasks" for one in runs)]
    table = Table("one triggerer, PostgreSQL, LocalExecutor", columns)
    for key in dict.fromkeys(key for one in runs for key in one.figures):
        table.rows.append([*key, *(str(one.figures.get(key, "-")) for one in runs)])
    targets = [target for one in runs for target in one.targets() if not isnan(target.value)]
    raw = {one.airflow: {"; ".join(key): value for key, value in one.figures.items()} for one in runs}
    return Section(
        "scale", "Many tasks at once", list(NOTES), [table], targets, raw=raw, seconds=sum(one.seconds for one in runs)
    )


if __name__ == "__main__":
    join(Path("benchmarks"), section([Measured.read(Path(name)) for name in sys.argv[1:]]))
