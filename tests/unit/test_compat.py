"""Nothing is kept for a version of Airflow that is no longer supported, and only one file knows of versions."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "airflow_armada"
COMPAT = PACKAGE / "_compat.py"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def versions(text: str) -> list[tuple[int, int]]:
    return [(int(major), int(minor)) for major, minor in re.findall(r"(\d+)\.(\d+)", text)]


OLDEST = versions(next(need for need in SETTINGS["dependencies"] if need.startswith("apache-airflow>=")))[0]
SUPPORTED = sorted(versions(" ".join(file.name for file in (ROOT / "constraints").glob("airflow-*.txt"))))


def branches() -> list[tuple[int, int]]:
    """Return the version of each branch in ``_compat``: those before it need the branch."""
    calls = [node for node in ast.walk(ast.parse(COMPAT.read_text())) if isinstance(node, ast.Call)]
    asked = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "before"]
    return [tuple(ast.literal_eval(argument) for argument in call.args) for call in asked]  # type: ignore[misc]


def test_the_oldest_airflow_that_can_be_installed_is_the_oldest_that_is_tested() -> None:
    assert SUPPORTED[0] == OLDEST


@pytest.mark.parametrize("version", sorted(set(branches())))
def test_every_branch_is_for_a_supported_airflow(version: tuple[int, int]) -> None:
    assert version > OLDEST, f"no supported Airflow is before {version}: delete what asks for it"
    assert version <= SUPPORTED[-1], f"no tested Airflow is {version} or newer"


def test_only_one_file_asks_for_versions() -> None:
    """Neither by a number, nor by trying whether a module of Airflow itself is there."""
    found = [file.relative_to(ROOT) for file in sorted(PACKAGE.rglob("*.py")) if file != COMPAT and asks(file)]

    assert found == []


def asks(file: Path) -> bool:
    tree = ast.parse(file.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    tried = [
        statement
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any("ImportError" in ast.unparse(handler) for handler in node.handlers)
        for statement in node.body
    ]
    of_airflow = re.compile(r"(from|import) airflow\.(?!providers)|import_module\(.airflow\.(?!providers)")
    return "before" in names or any(of_airflow.search(ast.unparse(statement)) for statement in tried)


def test_the_package_says_which_python_it_needs() -> None:
    named = {line.rpartition(" ")[2] for line in SETTINGS["classifiers"] if "Python :: 3." in line}

    assert SETTINGS["requires-python"] == ">=3.11"
    assert named == {"3.11", "3.12", "3.13"}
