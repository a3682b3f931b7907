"""A real Airflow that runs DAGs inline with ``dag.test()``, and an embedded Armada.

Airflow runs in a process and a home folder of its own, started once: its first DAG run takes several seconds, the
following ones only as long as their tasks.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.config import Config, Provided
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_stack import armada_connection

RUN_SECONDS = 540.0
EXAMPLES = Path(__file__).resolve().parents[3] / "example_dags"
SECRET = "s3cret-t0ken"
LOOKOUT = "http://lookout.example"
DEFAULTS = {
    "default_queue": "research",
    "default_namespace": "team-a",
    "default_resources": {"cpu": "50m", "memory": "24Mi"},
    "default_labels": {"team": "a", "tier": "batch"},
}

HEADER = """
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

SMALL = dict(armada_queue="research", image="busybox:1.37", container_resources={"cpu": "100m", "memory": "32Mi"})


def sh(task_id, script, **arguments):
    return ArmadaOperator(task_id=task_id, cmds=["sh", "-c"], arguments=[script], **{**SMALL, **arguments})

"""


@dataclass(frozen=True)
class Finished:
    """A DAG run that has ended.

    :param dag_id: id of the DAG
    :param run_id: id of the DAG run
    :param state: its state
    :param tasks: its task instances
    :param log: what was logged meanwhile, as records
    """

    dag_id: str
    run_id: str
    state: str
    tasks: list[dict[str, Any]]
    log: list[dict[str, Any]]

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return how a task ended."""
        return next(one for one in self.tasks if (one["task_id"], one["map_index"]) == (task_id, map_index))

    def result(self, task_id: str, map_index: int = -1) -> Any:
        """Return the return value of a task."""
        return self.task(task_id, map_index)["xcoms"]["return_value"]

    def pod_lines(self) -> list[str]:
        """Return the jobs' own log lines."""
        return [record["event"] for record in self.log if record.get("logger") == "armada.pod"]

    def messages(self) -> str:
        """Return all other lines."""
        return "\n".join(str(record.get("event")) for record in self.log if record.get("logger") != "armada.pod")

    def errors(self) -> list[tuple[str, str]]:
        """Return the exceptions that ended tasks, as class and text."""
        details = [record.get("exception") or record.get("error_detail") or [] for record in self.log]
        return [(one[0]["exc_type"], one[0]["exc_value"]) for one in details if one]


class InlineAirflow:
    """The process that runs DAGs.

    :param home: folder for everything it writes
    :param environment: further environment variables
    """

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._dags = home / "dags"
        self._dags.mkdir(parents=True)
        self._output = home / "output"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__JSON_LOGS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            **environment,
        }
        self._process: subprocess.Popen[str] | None = None
        self._replies: IO[str] | None = None
        self._number = 0

    def __enter__(self) -> InlineAirflow:
        reader, writer = os.pipe()
        script = Path(__file__).with_name("dag_runner.py")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(script), str(writer)],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[writer],
                text=True,
            )
        os.close(writer)
        self._replies = os.fdopen(reader)
        self._reply()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, body: str, waits: Mapping[str, Mapping[str, float]] | None = None, **conf: Any) -> Finished:
        """Run a DAG.

        :param body: what stands inside of ``with DAG(...) as dag:``, after :data:`HEADER`
        :param waits: waiting times that are other ones in this run, see ``dag_runner.waiting``
        :param conf: the run's conf
        """
        self._number += 1
        name = f"case_{self._number}"
        path = self._dags / f"{name}.py"
        block = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        path.write_text(f'{HEADER}\nwith DAG("{name}", schedule=None) as dag:\n{block}\n')
        try:
            return self._ask({"path": str(path), "conf": conf, "waits": waits or {}}, name)
        finally:
            path.unlink()

    def run_example(self, name: str, dag_id: str) -> Finished:
        """Run a DAG of ``example_dags``, read the way Airflow reads DAG files.

        :param name: of its file, without its ending
        :param dag_id: id of the DAG
        """
        path = shutil.copy(EXAMPLES / f"{name}.py", self._dags)
        shutil.copytree(EXAMPLES / "jobs", self._dags / "jobs", dirs_exist_ok=True)
        try:
            return self._ask({"path": str(path), "dag_id": dag_id}, dag_id)
        finally:
            Path(path).unlink()

    def run_file(self, text: str, dag_id: str) -> Finished:
        """Run a DAG of a file, read the way Airflow reads DAG files.

        :param text: what stands in the file
        :param dag_id: id of the DAG
        """
        path = self._dags / "given.py"
        path.write_text(text)
        try:
            return self._ask({"path": str(path), "dag_id": dag_id}, dag_id)
        finally:
            path.unlink()

    def _ask(self, request: dict[str, Any], dag_id: str) -> Finished:
        begin = self._output.stat().st_size
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = self._reply()
        assert "error" not in reply, reply["error"]
        return Finished(dag_id, reply["run_id"], reply["state"], reply["tasks"], self._records(begin))

    def _reply(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._replies is not None
        until = time.monotonic() + RUN_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if select.select([self._replies], [], [], 1.0)[0]:
                reply: dict[str, Any] = json.loads(self._replies.readline())
                return reply
        raise AssertionError(f"no answer from Airflow:\n{self._output.read_text()[-5000:]}")

    def _records(self, begin: int) -> list[dict[str, Any]]:
        with self._output.open("rb") as output:
            output.seek(begin)
            lines = output.read().decode(errors="replace").splitlines()
        return [_record(line) for line in lines]


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {"event": line}
    return record if isinstance(record, dict) else {"event": line}


@pytest.fixture(scope="package")
def armada() -> Iterator[StandaloneArmada]:
    """An embedded Armada with four CPUs, a GPU that is only counted, a secret, and the queue ``research``."""
    config = Config(resources={"nvidia.com/gpu": Fraction(1)}, provided=Provided(secrets={"hub": {"token": SECRET}}))
    with StandaloneArmada(cpus=4, memory="4Gi", config=config) as server:
        server.create_queue("research")
        server.create_queue("example")
        yield server


@pytest.fixture(scope="package")
def client(armada: StandaloneArmada) -> Iterator[ArmadaClient]:
    """Somebody else who uses the same Armada."""
    with open_channel(SiteSettings(target=armada.target, tls=None)) as channel:
        yield ArmadaClient(channel)


@pytest.fixture(scope="package")
def airflow(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InlineAirflow]:
    """An Airflow whose connection ``armada_default`` leads to ``armada``."""
    connections = {
        "AIRFLOW_CONN_ARMADA_DEFAULT": armada_connection(armada.target, lookout_url=LOOKOUT),
        "AIRFLOW_CONN_ARMADA_MUTE": armada_connection(armada.target, binoculars=""),
        "AIRFLOW_CONN_ARMADA_DEFAULTS": armada_connection(armada.target, **DEFAULTS),
        "AIRFLOW_CONN_ARMADA_NOWHERE": armada_connection("127.0.0.1:1"),
        "AIRFLOW_CONN_ARMADA_BROKEN": json.dumps({"conn_type": "armada", "host": "h", "extra": {"tls": "perhaps"}}),
    }
    with InlineAirflow(tmp_path_factory.mktemp("airflow"), connections) as airflow:
        yield airflow
