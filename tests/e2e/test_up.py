"""``airflow-armada up``, as its users meet it: what it says at the end can be done."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from airflow_armada.local.rest_api import AirflowApi

COMMAND = [sys.executable, "-m", "airflow_armada.cli.main"]
LAST_WORDS = "Ctrl-C stops everything."


def said_until(process: subprocess.Popen[str], last: str) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if last in line:
            return "".join(lines)
    raise AssertionError(f"it has ended:\n{''.join(lines)}")


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.timeout(600)
def test_it_says_where_to_click_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    mine = tmp_path / "dags"
    mine.mkdir()
    (mine / "mine.py").write_text('from airflow.sdk import DAG\n\nmine = DAG("mine", schedule=None)\n')
    arguments = ["up", "--home", str(tmp_path / "home"), "--dags", str(mine)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    process = subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        said = said_until(process, LAST_WORDS)
        started = psutil.Process(process.pid).children(recursive=True)
        (variable,) = re.findall(r"export (ARMADA_URL=.*)", said)
        (file,) = re.findall(r"submit --again (\S+)\)", said)
        (click,) = re.findall(r"1\. Open\s+(\S+)", said)
        site = dict([shlex.split(variable)[0].split("=", 1)])

        submitted = subprocess.run(
            [*COMMAND, "submit", "--again", file, "--wait"],
            env={**environment, **site},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert submitted.returncode == 0, submitted.stderr
        (address,) = re.findall(r"http\S+", submitted.stderr)
        assert "armadactl on any day" in page(address)
        assert "<html" in page(click)
        AirflowApi(click.removesuffix("/dags/armada_hello")).wait_for_dags(["mine"])
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert rest.endswith("Everything is stopped.\n")
    assert [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
