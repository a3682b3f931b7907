"""Editors and type checkers know every argument of the operator, and take a wrong one for wrong."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.arguments.spelling import known_arguments
from airflow_armada.task.arguments.typed import OperatorArguments

USES = Path(__file__).with_name("typed_uses.py")
EXPECTED = {number for number, line in enumerate(USES.read_text().splitlines(), 1) if line.endswith("# wrong")}


def test_every_argument_is_typed() -> None:
    variadic = {"self", "kwargs", "arguments"}

    typed, taken = set(OperatorArguments.__annotations__), set(known_arguments(ArmadaOperator))
    assert typed - {"arguments"} == taken - variadic
    assert "arguments" in typed
    assert inspect.signature(ArmadaOperator.__init__).parameters["arguments"].kind is inspect.Parameter.VAR_KEYWORD


def test_mypy_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "--follow-imports=silent", USES]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert _lines(ran.stdout) == EXPECTED, ran.stdout + ran.stderr


def test_pyright_finds_what_is_wrong_and_nothing_else() -> None:
    pyright = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("basedpyright is not installed")
    ran = subprocess.run(
        [pyright, "--level", "error", "--pythonpath", sys.executable, USES], capture_output=True, text=True, check=False
    )

    assert _lines(ran.stdout) == EXPECTED, ran.stdout + ran.stderr


def _lines(report: str) -> set[int]:
    return {int(number) for number in re.findall(rf"{USES.name}:(\d+)(?::\d+)?(?: -|:) error", report)}
