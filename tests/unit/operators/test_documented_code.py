"""The code on the pages works: DAG files are parsed as Airflow does, and every task's job is checked."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_armada._compat import before
from airflow_armada.cli.arguments import COMMANDS
from airflow_armada.operators.armada import ArmadaOperator

ROOT = Path(__file__).resolve().parents[3]
# The client's page has a test that runs it; the one for developers is about the tests.
ELSEWHERE = {ROOT / "docs" / "client.md", ROOT / "docs" / "development.md"}
PAGES = sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")} - ELSEWHERE)
# What the dots at the beginning of a call stand for.
ELIDED = re.compile(r"ArmadaOperator\(\s*\.\.\.,")
A_TASK = 'ArmadaOperator(task_id=f"task_{next(number)}", armada_queue="research", image="busybox:1.37", cmds=["true"],'


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_on_a_page_runs(page: Path) -> None:
    names: dict[str, Any] = {"DAG": DAG, "task": task, "ArmadaOperator": ArmadaOperator, "timedelta": timedelta}
    names |= {"__name__": "docs", "number": iter(range(1000))}
    with DAG("page", schedule=None):
        for block in blocks(page, "python"):
            if "Reschedule" in block and before(3, 4):
                continue
            exec(ELIDED.sub(A_TASK, block), names)  # our own pages


def test_commands_on_the_pages_are_there() -> None:
    known = {command.name for command in COMMANDS}
    text = "\n".join(page.read_text() for page in (*PAGES, ROOT / "CONTRIBUTING.md"))
    named = set(re.findall(r"(?:`|\$\(|^|export .*\n)airflow-armada ([a-z-]+)", text, re.MULTILINE))

    assert named >= {"check", "up", "demo", "why"}
    assert named - known == set()
