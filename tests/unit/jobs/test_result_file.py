"""Results that a job writes to a file: its command is wrapped, and a real shell runs it here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.build import build
from airflow_armada.jobs.problems import InvalidJob
from airflow_armada.jobs.result_file import XCOM_FILE, print_file
from airflow_armada.jobs.result_value import ResultMissing, ResultTooLarge
from airflow_armada.jobs.results import NONCE_VARIABLE, ResultCollector

NONCE = "0123456789abcdef"
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]


def wrapped(script: str, file: Path) -> list[str]:
    container = core_v1_pb2.Container(command=["sh", "-c"], args=[script, "sh", str(file)])
    assert print_file(core_v1_pb2.PodSpec(), container, str(file)) == []
    return list(container.command)


def run(shell: str, script: str, file: Path, nonce: str = NONCE) -> tuple[ResultCollector, list[str], int]:
    command = [*([shell, "sh"] if shell == "busybox" else [shell]), *wrapped(script, file)[1:]]
    env = {"PATH": os.environ["PATH"]} | ({NONCE_VARIABLE: nonce} if nonce else {})
    done = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    collector = ResultCollector(nonce=NONCE)
    shown = [line.decode() for raw in done.stdout.split(b"\n") for line in collector.feed("", raw)]
    assert not done.stderr, done.stderr
    return collector, shown, done.returncode


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "value", [{"rows": 3}, "ü" * 9000, ["%s \\n $x `y` '\""], None], ids=["small", "long", "signs", "null"]
)
def test_the_file_is_the_result(shell: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "value").write_text(json.dumps(value, indent=1, ensure_ascii=False))
    collector, shown, code = run(shell, f'printf working; cp {tmp_path}/value "$1"', tmp_path / "return.json")
    assert (collector.value(), shown, code) == (value, ["working"], 0)
    assert collector.found.signed


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_file_the_result_is_null(shell: str, tmp_path: Path) -> None:
    assert run(shell, "true", tmp_path / "return.json", nonce="")[0].value() is None


def test_a_command_that_fails_keeps_its_exit_code_and_has_no_result(tmp_path: Path) -> None:
    collector, _, code = run("sh", 'echo 1 > "$1"; exit 7', tmp_path / "return.json")
    assert code == 7
    with pytest.raises(ResultMissing):
        collector.value()


def test_a_file_that_is_too_large_is_told_and_not_printed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("1" * 9_000_000)
    collector, shown, code = run("sh", f'cp {tmp_path}/value "$1"', tmp_path / "return.json")
    assert (shown, code) == ([], 0)
    with pytest.raises(ResultTooLarge):
        collector.value()


def test_signals_reach_the_command(tmp_path: Path) -> None:
    script = """trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.1; done"""
    with subprocess.Popen(wrapped(script, tmp_path / "x"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "told\n"
    assert process.returncode == 3


def test_the_folder_of_the_xcom_file_is_there() -> None:
    item = build(image="a", cmds=["run"], arguments=["--fast"], result_file=XCOM_FILE)
    container = item.pod_spec.containers[0]
    assert list(container.command[-3:]) == [XCOM_FILE, "run", "--fast"]
    assert not container.args
    assert [mount.mountPath for mount in container.volumeMounts] == ["/airflow/xcom"]
    assert item.pod_spec.volumes[0].volumeSource.HasField("emptyDir")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"result_file": XCOM_FILE}, "cmds: is required with result_file; the image's own entry point is not known"),
        ({"cmds": ["a"], "result_file": "return.json"}, "result_file: must be an absolute path"),
        ({"cmds": ["a"], "result_file": 5}, "result_file: must be an absolute path"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJob, match="invalid job") as raised:
        build(image="a", **arguments)
    assert message in str(raised.value)
