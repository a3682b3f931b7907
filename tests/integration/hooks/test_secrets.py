"""Secrets never leak: canaries of every kind of credentials are planted, used, and searched for wherever we write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_armada.cli.arguments import COMMANDS
from airflow_armada.client.site.fields import KINDS
from tests.integration.operators.conftest import Finished, InlineAirflow
from tests.support.canaries import process_list, traces, traces_in
from tests.support.guarded_site import ALLOWED, MISPLACED_IN, PASSWORD, TOKENS, VARIABLE, GuardedSite, guarded_site
from tests.support.sites import SCRIPT

pytestmark = pytest.mark.timeout(600)

LOUD = {
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow_armada=DEBUG,armada=DEBUG,asyncio=DEBUG,grpc=DEBUG,urllib3=DEBUG",
    "GRPC_VERBOSITY": "DEBUG",
    "GRPC_TRACE": "all",
    "PYTHONASYNCIODEBUG": "1",
}
"""
Everything says what it can, but for the in-process supervisor of ``dag.test()``, which logs Airflow's own requests to
mask a secret, with the secret; a real supervisor does not: see tests/e2e/test_secrets.py.
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSite]:
    with guarded_site(tmp_path_factory.mktemp("secrets")) as site:
        yield site


Runs = tuple[dict[str, Finished], bytes]
"""What ran, and what the process list showed meanwhile."""


def test_the_site_has_a_door_of_every_kind(site: GuardedSite) -> None:
    # There is nothing secret about none, and the header of kubernetes is made in a pod: see test_kubernetes.py.
    assert set(KINDS) - set(site.good) == {"none", "kubernetes"}
    assert set(site.good) - set(site.bad) == {"token_variable"}


JOB = 'sh("{kind}_{name}", "{script}", armada_conn_id="{connection}_{kind}", deferrable={deferrable})'
FAILING = ("token_command", "basic", "oidc_client_credentials", "oidc_login")
REFUSED = ("basic", "oidc_client_credentials", "oidc_password", "oidc_login", "oidc_kubernetes")
"""The command line below has all that the server refuses."""
IMPATIENT = {"airflow_armada.wait.patience:FOR_CALLS": {"error": 3.0}}
"""A wrong password is asked about again, usually for a minute."""


def dag(name: str, script: str, kinds: Iterable[str], *, connection: str = "good", first: int = 0) -> str:
    """Return a DAG with one job for each kind of credentials, in one mode and the other by turns."""
    return "\n".join(
        JOB.format(kind=kind, name=name, script=script, connection=connection, deferrable=bool(number % 2))
        for number, kind in enumerate(kinds, first)
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def runs(site: GuardedSite, home: Path) -> Runs:
    """Run jobs that succeed, jobs that fail and jobs that are refused, with every kind of credentials."""
    connections = {f"AIRFLOW_CONN_GOOD_{kind.upper()}": site.connection(one) for kind, one in site.good.items()}
    connections |= {f"AIRFLOW_CONN_BAD_{kind.upper()}": site.connection(one) for kind, one in site.bad.items()}
    environment = {**connections, **ALLOWED, **LOUD, VARIABLE: TOKENS["variable"]}
    with process_list() as seen, InlineAirflow(home, environment) as airflow:
        runs = {
            "works": airflow.run(dag("works", "echo fine", site.good)),
            "fails": airflow.run(dag("fails", "echo broken; exit 3", FAILING, first=1)),
            "refused": airflow.run(dag("refused", "true", REFUSED, connection="bad"), IMPATIENT),
        }
    return runs, b"\n".join(seen.arguments)


def test_each_kind_runs_its_jobs_and_the_wrong_secrets_do_not(runs: Runs, site: GuardedSite) -> None:
    states = {name: {task["state"] for task in run.tasks} for name, run in runs[0].items()}

    assert states == {"works": {"success"}, "fails": {"failed"}, "refused": {"failed"}}
    assert runs[0]["works"].pod_lines() == ["fine"] * len(site.good)
    assert runs[0]["fails"].pod_lines() == ["broken"] * len(FAILING)


def test_airflow_has_written_no_secret(runs: Runs, site: GuardedSite, home: Path) -> None:
    database, output = (home / "airflow.db").read_bytes(), (home / "output").read_bytes()

    assert b"airflow_armada.triggers.armada.ArmadaJobTrigger" in database
    assert b"oidc_client_credentials_fails" in database
    assert b"api.Submit/SubmitJobs" in output
    assert traces_in(home, site.secrets) == []


def test_no_process_shows_a_secret_in_its_arguments(runs: Runs, site: GuardedSite) -> None:
    assert b"dag_runner.py" in runs[1]
    assert traces(runs[1], site.secrets) == []


def command_line(folder: Path, url: str, *arguments: str) -> tuple[int, bytes]:
    """Run a command as loudly as can be, in a folder and a home of its own, and return all that it wrote."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = {**kept, **LOUD, "HOME": str(folder), "ARMADA_URL": url, VARIABLE: TOKENS["variable"]}
    done = subprocess.run(
        [sys.executable, "-m", "airflow_armada.cli.main", *arguments],
        cwd=folder,
        env=environment,
        input=SCRIPT.replace("queue: q", "queue: research").encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_no_command_tells_a_secret(site: GuardedSite, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = site.uri(site.good["oidc_client_credentials"])
    _, submitted = command_line(tmp_path, url, "submit", "-", "--json")
    job = submitted.rpartition(b'"job": "')[2].partition(b'"')[0].decode()
    armadactl = tmp_path_factory.mktemp("armadactl") / "armadactl.yaml"
    armadactl.write_text(
        f"armadaUrl: {site.server.target}\nforceNoTls: true\nbasicAuth: {{username: ada, password: {PASSWORD}}}\n"
    )
    calls: list[tuple[int, str, tuple[str, ...]]] = [
        (0, "", ("check", "--armadactl", str(armadactl))),
        (0, url, ("watch", "research", "set")),
        (0, url, ("logs", job)),
        (0, url, ("why", job)),
        (0, url, ("jobs", "research", "set")),
        (0, url, ("create-queue", "other")),
        (0, url, ("update-queue", "research", "--priority", "2")),
        (0, url, ("reprioritize", job, "--priority", "2")),
        (0, url, ("preempt", job)),
        (0, url, ("cancel", job)),
        (3, url, ("login",)),
        *((0, site.uri(one), ("queues",)) for one in site.good.values()),
        *((0, site.uri(one), ("check", "--queue", "research", "--json")) for one in site.good.values()),
        *((1, site.uri(one), ("check",)) for one in site.bad.values()),
        *((3, site.uri(one), ("queues", "--json")) for one in site.bad.values()),
        *((3, site.uri({name: text}), ("queues", "--json")) for name, text in MISPLACED_IN.items() if name != "host"),
    ]
    tried = {call[2][0] for call in calls} | {"submit", "cordon", "uncordon"}
    assert tried == {command.name for command in COMMANDS if command.has_site}

    with process_list() as seen, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda call: command_line(tmp_path, call[1], *call[2]), calls))

    codes = [(arguments, code) for (_, _, arguments), (code, _) in zip(calls, results, strict=True)]
    assert codes == [(arguments, code) for code, _, arguments in calls]
    written = submitted + b"".join(output for _, output in results)
    assert b"api.QueueService/GetQueues" in written
    assert traces(written, site.secrets) == []
    assert traces(b"\n".join(seen.arguments), site.secrets) == []
    assert traces_in(tmp_path, site.secrets) == []
