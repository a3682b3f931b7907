"""A real small Airflow for tests, of which each process can be killed or frozen while the others go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_armada.local.airflow import LocalAirflow
from tests.support.airflow_api import AirflowApi
from tests.support.components import Component, free_port

# Airflow notices a dead worker, scheduler or triggerer after minutes; for chaos tests these settings make it seconds.
QUICK_RECOVERY = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
}


def armada_connection(target: str, **extra: object) -> str:
    """Return an Airflow connection to a plain-text Armada server, in the JSON form of ``AIRFLOW_CONN_...``.

    :param target: ``host:port`` of the server; its log service is taken to answer on the same port.
    :param extra: Further extras of the connection, or other values for these.
    """
    host, _, port = target.rpartition(":")
    extras = {"tls": False, "binoculars": target, **extra}
    return json.dumps({"conn_type": "armada", "host": host, "port": int(port), "extra": extras})


class AirflowStack(LocalAirflow):
    """One Airflow installation with its processes.

    :param home: Folder for everything it writes; it is used again if it exists.
    :param dag_folders: Folders with DAG files.
    :param armada_target: ``host:port`` of the Armada server that the connection ``armada_default`` leads to; empty:
        there is none.
    :param env: Further environment variables; they win over the settings made here.
    :param n_triggerers: How many triggerers to run.
    :param database_url: SQLAlchemy URL (synchronous) of an empty database; SQLite in the home folder without it.
    """

    def __init__(
        self,
        home: Path,
        dag_folders: Sequence[Path],
        armada_target: str,
        *,
        env: Mapping[str, str] | None = None,
        n_triggerers: int = 1,
        database_url: str = "",
    ) -> None:
        log_ports = ("WORKER_LOG_SERVER_PORT", "TRIGGER_LOG_SERVER_PORT")
        given = {f"AIRFLOW__LOGGING__{name}": str(free_port()) for name in log_ports}
        if armada_target:
            given["AIRFLOW_CONN_ARMADA_DEFAULT"] = armada_connection(armada_target)
        if database_url:
            given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database_url
        super().__init__(home, dag_folders, env={**given, **(env or {})}, port=free_port())
        self.api = AirflowApi(self.api.base_url)
        names = ["api-server", "scheduler", "dag-processor"]
        names += [f"triggerer-{number}" for number in range(1, n_triggerers + 1)]
        self.components = {name: self._component(name) for name in names}

    def _component(self, name: str) -> Component:
        command = name.rstrip("-0123456789")
        environment = dict(self.environment)
        if command == "triggerer" and name != "triggerer-1":
            # The API server asks the first one at the port that all know; on one machine it cannot ask the others.
            environment["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] = str(free_port())
        return Component(name, ["-m", "airflow", command], environment, self.log_folder / f"{name}.log")

    def __getitem__(self, name: str) -> Component:
        return self.components[name]

    def stop(self, grace: float = 5.0) -> None:
        """Stop all processes and whatever they have started, frozen ones too."""
        for component in self.components.values():
            if component.running:
                component.resume()
        super().stop(grace)
