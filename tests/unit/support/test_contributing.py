"""What CONTRIBUTING.md and the workflows name is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
RUN = re.compile(r"(?:^|`)make((?: [a-z][a-z0-9-]*\b(?!=))+)", re.MULTILINE)
PAGES = ("CONTRIBUTING.md", "README.md", "docs/development.md", "docs/versions.md")


def targets(text: str) -> set[str]:
    return {target for found in RUN.findall(text) for target in found.split()}


def test_the_files_that_a_newcomer_is_sent_to_are_there() -> None:
    named = re.findall(r"`((?:airflow_armada|docs|proto|scripts|tests)/[^`]*)`", (ROOT / "CONTRIBUTING.md").read_text())

    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_target_that_pages_and_workflows_name_is_in_the_makefile() -> None:
    runs = [
        step["run"]
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for job in yaml.safe_load(file.read_text())["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    named = targets("\n".join([*runs, *((ROOT / page).read_text() for page in PAGES)]))

    assert named >= {"test", "dist", "versions"}
    assert named - TARGETS == set()


def test_pre_commit_runs_what_make_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]

    assert [hook["entry"].split()[-1] for hook in hooks] == ["lint", "types", "contracts"]
