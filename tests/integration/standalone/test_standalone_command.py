"""The command ``armada-standalone``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from airflow_armada.api import methods
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import QUEUE, Armada, job, shell, wait_until


def round_report(armada: Armada) -> str:
    return str(armada.call(methods.SchedulerReporting.GET_SCHEDULING_REPORT).report)


COMMAND = [sys.executable, "-m", "airflow_armada.standalone"]


def test_it_says_where_it_listens_makes_queues_and_stops_on_sigterm(tmp_path: Path) -> None:
    size = ["--cpus", "3", "--memory", "2Gi", "--site", "nrp"]
    options = ["--port", "0", "--queue", "a", "--queue", "b", *size, "--work-dir", tmp_path]
    with subprocess.Popen([*COMMAND, *map(str, options)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        armada = Armada(ready.split()[-1])
        *queues, _ = armada.call(methods.Submit.GET_QUEUES)
        wait_until(lambda: "(memory=2147483648,cpu=3)\n" in round_report(armada))
        process.terminate()

        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == ""

    assert ready.startswith("armada-standalone is ready on 127.0.0.1:")
    assert [message.queue.name for message in queues] == ["a", "b"]


def test_credentials_come_from_files(tmp_path: Path) -> None:
    tokens = tmp_path / "token"
    tokens.write_text("tok\n")
    command = [*COMMAND, "--port", "0", "--token-file", str(tokens)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        target = process.stdout.readline().split()[-1]

        assert Armada(target).refused(methods.Submit.HEALTH)[0] == grpc.StatusCode.UNAUTHENTICATED
        assert Armada(target, [("authorization", "Bearer tok")]).call(methods.Submit.HEALTH).status == 1
        process.terminate()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with StandaloneArmada() as server:
        result = subprocess.run(
            [*COMMAND, "--port", str(server.port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )

    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}: the port is in use" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_quantity_that_makes_no_sense_is_one_clear_line() -> None:
    result = subprocess.run([*COMMAND, "--cpus", "many"], capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert result.stderr.startswith("armada-standalone: 'many' is not a quantity")


def test_a_file_says_which_categories_failures_have_and_an_option_which_namespaces_there_are(tmp_path: Path) -> None:
    rules = tmp_path / "executor.yaml"
    rule = "{onExitCodes: {operator: In, values: [75]}}"
    rules.write_text(f"errorCategories: {{categories: [{{name: later, rules: [{rule}]}}]}}")
    options = ["--port", "0", "--queue", QUEUE, "--error-categories", str(rules), "--namespace", "default"]
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        armada = Armada(process.stdout.readline().split()[-1])
        here, elsewhere = armada.submit(job(shell("exit 75")), job(shell("true"), namespace="nowhere"))
        ends = [armada.end_of(here), armada.end_of(elsewhere)]
        process.terminate()

    assert (ends[0].failure_category, ends[1].reason) == ("later", 'namespaces "nowhere" not found')


@pytest.mark.parametrize("content", ["{", "[]", "categories: [{name: x}]"])
def test_a_file_that_holds_no_categories_is_one_clear_line(tmp_path: Path, content: str) -> None:
    rules = tmp_path / "executor.yaml"
    rules.write_text(content)
    command = [*COMMAND, "--port", "0", "--error-categories", str(rules)]

    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert result.stderr.startswith("armada-standalone: ")
    assert len(result.stderr.splitlines()) == 1
