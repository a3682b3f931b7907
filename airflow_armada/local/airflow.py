"""A small whole Airflow: API server, scheduler, DAG processor and triggerer.

Each is a process of its own. Everything lives in one home folder; nothing outside of it is read or written.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.fernet import Fernet

from airflow_armada.local.processes import STACK_MARK, Process, free_port, kill_sessions, wait_until
from airflow_armada.local.rest_api import AirflowApi


class LocalAirflow:
    """
    One Airflow installation with its processes.

    :param home: folder for everything it writes; it is used again if it exists.
    :param dag_folders: folders with DAG files.
    :param env: further environment variables; they win over the settings made here.
    :param port: where the API server and its UI listen; any free port without it.
    """

    def __init__(
        self, home: Path, dag_folders: Sequence[Path], *, env: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        self.home = home
        self.mark = uuid.uuid4().hex
        port = port or free_port()
        self.api = AirflowApi(f"http://127.0.0.1:{port}")
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            **_settings(home, dag_folders, port),
            STACK_MARK: self.mark,
            **(env or {}),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        names = ("api-server", "scheduler", "dag-processor", "triggerer")
        self.components: Mapping[str, Process] = {
            name: Process(name, ["-m", "airflow", name], self.environment, self.log_folder / f"{name}.log")
            for name in names
        }

    @property
    def log_folder(self) -> Path:
        """Where the processes' own output goes; the tasks' logs are in ``home / "logs"``."""
        return self.home / "processes"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, deadline: float = 180.0) -> None:
        """
        Make the database, start all processes and wait until they are healthy and warm.

        :param deadline: seconds until it counts as failed.
        :raises RuntimeError: when a process ends instead; the text holds the end of its output.
        """
        try:
            self.migrate()
            for component in self.components.values():
                component.start()
            wait_until(lambda: "metadatabase" in self._checked_health(), "the API server", deadline)
            self.api.warm_up()
            wait_until(self._all_healthy, "all components of Airflow to be healthy", deadline)
        except BaseException:
            self.stop()
            raise

    def migrate(self) -> None:
        """Create the database's tables, unless this version of Airflow has done so before."""
        stamp = self.home / "migrated"
        wanted = f"{version('apache-airflow-core')} {self.environment['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN']}"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.run("db", "migrate")
        stamp.write_text(wanted)

    def run(self, *arguments: str) -> str:
        """Run an ``airflow`` command in this installation and return its output."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout

    def _checked_health(self) -> dict[str, str]:
        for component in self.components.values():
            if not component.running:
                raise RuntimeError(f"{component.name} has ended while Airflow started:\n{component.tail()}")
        return self.api.health()

    def _all_healthy(self) -> bool:
        return set(self._checked_health().values()) == {"healthy"}

    def stop(self, grace: float = 5.0) -> None:
        """
        Stop all processes and whatever they have started.

        :param grace: seconds for an orderly end; what runs then is killed.
        """
        running = [component for component in self.components.values() if component.running]
        for component in running:
            component.signal(signal.SIGCONT)
            component.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not any(component.running for component in running), "an orderly end", grace)
        sessions = [session for component in self.components.values() for session in component.sessions]
        kill_sessions(sessions, self.mark)


def _settings(home: Path, dag_folders: Sequence[Path], port: int) -> dict[str, str]:
    """Return Airflow's configuration as environment variables."""
    url = f"http://127.0.0.1:{port}"
    bundles = [
        {
            "name": f"{number}-{folder.name}",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder), "refresh_interval": 30},
        }
        for number, folder in enumerate(dag_folders)
    ]
    keys = _keys(home)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "True",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def _keys(home: Path) -> dict[str, str]:
    """Return the secrets of this installation: all of its processes must share them, also after a restart."""
    file = home / "keys.json"
    if not file.exists():
        keys = {"fernet": Fernet.generate_key().decode(), "api": secrets.token_hex(), "jwt": secrets.token_hex()}
        file.touch(mode=0o600)
        file.write_text(json.dumps(keys))
    stored: dict[str, str] = json.loads(file.read_text())
    return stored
