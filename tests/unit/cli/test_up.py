"""What ``airflow-armada up`` says at its end can be pasted."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_armada.cli.commands.up import guide

RUNNING: Any = SimpleNamespace(
    airflow=SimpleNamespace(api=SimpleNamespace(base_url="http://127.0.0.1:8080")),
    target="127.0.0.1:33429",
    pages=SimpleNamespace(url="http://127.0.0.1:38971"),
)


def test_it_fits_a_screen() -> None:
    lines = guide(RUNNING).splitlines()

    assert len(lines) < 24
    assert "http://127.0.0.1:8080/dags/armada_hello" in "\n".join(lines)


@pytest.mark.parametrize("on_path", [True, False])
def test_its_lines_for_the_terminal_name_what_is_there(on_path: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(commands) if on_path else "/nowhere")
    said = guide(RUNNING)

    (variable,) = re.findall(r"export (.*)", said)
    (command, file) = re.findall(r"\$\((\S+) submit --again (\S+)\)", said)[0]
    assert shlex.split(variable) == [
        "ARMADA_URL=grpc://127.0.0.1:33429?binoculars=127.0.0.1:33429&lookout_url=http://127.0.0.1:38971"
    ]
    assert Path(file).is_file()
    assert command == "airflow-armada" if on_path else Path(command).absolute() == commands / "airflow-armada"
