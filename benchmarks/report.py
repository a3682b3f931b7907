"""What a run of the benchmarks tells: sections with tables, targets and plots, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.stats import Sample, number

Cell = Sample | str


@dataclass
class Table:
    """Figures side by side.

    :param title: what they are
    :param columns: headings, the first one for the row labels
    :param rows: cells, the first one the label
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [f"**{self.title}**", "", _row(self.columns), _row(["---"] * len(self.columns))]
        return "\n".join([*lines, *(_row(row) for row in self.rows)])


@dataclass
class Target:
    """A figure that the project has promised.

    :param name: what is measured
    :param value: what was measured
    :param limit: what it must not exceed, or what it must reach if ``at_least``
    :param unit: of both
    """

    name: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        if math.isnan(self.value):
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def markdown(self) -> str:
        wanted = f"{'at least' if self.at_least else 'at most'} {number(self.limit)} {self.unit}".strip()
        value = "not measured" if math.isnan(self.value) else f"{number(self.value)} {self.unit}".strip()
        return _row([self.name, wanted, value, "yes" if self.met else "**no**"])


@dataclass
class Section:
    """One scenario.

    :param name: its short name, as ``--only`` takes it
    :param title: its heading
    :param notes: how it was measured and what to make of it
    :param plots: file name to SVG text
    :param raw: everything that was measured, for the JSON report
    """

    name: str
    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def markdown(self) -> str:
        parts = [f"## {self.title}", *self.notes, *(table.markdown() for table in self.tables)]
        parts += [f"![{name.removesuffix('.svg')}]({name})" for name in self.plots]
        if self.targets:
            head = [_row(["target", "wanted", "measured", "met"]), _row(["---"] * 4)]
            parts.append("\n".join([*head, *(target.markdown() for target in self.targets)]))
        return "\n\n".join([*parts, f"_Took {self.seconds:.0f} s._"])

    def to_dict(self) -> dict[str, Any]:
        content = {name: value for name, value in asdict(self).items() if name != "plots"}
        for target, plain in zip(self.targets, content["targets"], strict=True):
            plain["met"] = target.met
        return content


def _row(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def promises(sections: Sequence[dict[str, Any]]) -> str:
    """Return one table of all targets, from the content of the JSON report: what is met, and what is not."""
    rows = [_row(["scenario", "target", "wanted", "measured", "met"]), _row(["---"] * 5)]
    for section in sections:
        for plain in section["targets"]:
            fields = {name: value for name, value in plain.items() if name != "met"}
            rows.append(f"| {section['name']} {Target(**fields).markdown()}")
    return "\n".join(rows)


def write(folder: Path, sections: Sequence[Section], mode: str) -> Path:
    """Write ``report.md``, ``report.json`` and the plots.

    :param folder: where to
    :param mode: how the run was made, such as ``full`` or ``quick``
    :return: the path of ``report.md``
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = machine()
    content = {"mode": mode, "machine": where, "sections": [section.to_dict() for section in sections]}
    (folder / "report.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    for section in sections:
        for name, text in section.plots.items():
            (folder / name).write_text(text)
    report = folder / "report.md"
    report.write_text("\n\n".join([_head(content), *(section.markdown() for section in sections)]) + "\n")
    return report


def _head(content: dict[str, Any]) -> str:
    """Return what stands before the sections, from the content of the JSON report."""
    facts = ", ".join(f"{name} {value}" for name, value in content["machine"].items())
    met = [target["met"] for section in content["sections"] for target in section["targets"]]
    minutes = sum(section["seconds"] for section in content["sections"]) / 60
    return (
        f"# Benchmarks\n\nMade by `make bench` in the mode *{content['mode']}*: {facts}. Figures are medians of "
        f"several runs with lowest and highest in brackets; compare only what stands in one report.\n\n"
        f"**{sum(met)} of {len(met)} targets met**, in {minutes:.0f} minutes. "
        f"Why one is not, and what was tried, stands in its section.\n\n{promises(content['sections'])}"
    )


def join(folder: Path, section: Section) -> None:
    """Put a section that was measured by itself into a report, in the place of the one of its name or at the end.

    :param folder: of the report; the figures of its other sections stay
    :param section: says when it was measured
    """
    section.notes.append("Measured by itself: " + ", ".join(f"{name} {value}" for name, value in machine().items()))
    content = json.loads((folder / "report.json").read_text())
    others = [one for one in content["sections"] if one["name"] != section.name]
    content["sections"] = [*others, section.to_dict()]
    parts = ("\n" + (folder / "report.md").read_text()).split("\n## ")[1:]
    kept = [f"## {part.strip()}" for part in parts if not part.startswith(f"{section.title}\n")]
    (folder / "report.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    (folder / "report.md").write_text("\n\n".join([_head(content), *kept, section.markdown()]) + "\n")
