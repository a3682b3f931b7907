"""A real Airflow with two triggerers on PostgreSQL, and the places with an Armada that its connections lead to."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.place import Place
from tests.support.airflow_api import AirflowApi, DagRun, RefusedByAirflow
from tests.support.airflow_stack import QUICK_RECOVERY, AirflowStack
from tests.support.components import wait_until
from tests.support.postgres import private_postgres

TRIGGERERS = ("triggerer-1", "triggerer-2")
SIDE_PLACES = 6
EVENT_HOLD = os.environ.get("CHAOS_EVENT_HOLD", "")
"""In place of the provider's own time in which no trigger fires."""
CANCEL = "/api.Submit/CancelJobs"
SUBMIT = "/api.Submit/SubmitJobs"


class PatientApi(AirflowApi):
    """The REST API of an Airflow that is so busy that it may fail now and then."""

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        for _ in range(4):
            with contextlib.suppress(OSError):
                try:
                    return super().call(method, path, body, **query)
                except RefusedByAirflow as error:
                    if method != "GET" or ": 500 " not in str(error):
                        raise
            time.sleep(3)
        return super().call(method, path, body, **query)


class World(Place):
    """Everything that a chaos case plays with: an Airflow, the place that most runs use, and others beside it.

    :param folder: for all files
    :param heartbeat: Airflow's ``[workers] min_heartbeat_interval`` in seconds
    """

    def __init__(self, folder: Path, heartbeat: float = 1.0) -> None:
        super().__init__("armada_default", folder / "ledger")
        self.folder = folder
        self.side_places = [Place(f"armada_side_{number}", self.ledger) for number in range(SIDE_PLACES)]
        self._heartbeat = heartbeat
        self._everything = contextlib.ExitStack()

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            self.open()
            stack.callback(self.close)
            for place in self.side_places:
                stack.enter_context(place)
            database = stack.enter_context(private_postgres())
            self.airflow = stack.enter_context(self._airflow(database))
            for place in (self, *self.side_places):
                place.api = self.airflow.api
            self._everything = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._everything.close()

    def _airflow(self, database: str) -> AirflowStack:
        places = (self, *self.side_places)
        environment = {
            **QUICK_RECOVERY,
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": str(int(self._heartbeat)),
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__CORE__PARALLELISM": "24",
            # Many workers that start at once use up the API server's connections to the database otherwise.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "30",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "30",
            **{f"AIRFLOW_CONN_{place.conn_id.upper()}": place.connection for place in places},
            **({"AIRFLOW__ARMADA__EVENT_HOLD": EVENT_HOLD} if EVENT_HOLD else {}),
            "CHAOS_FOLDER": str(self.folder),
        }
        folders = [Path(__file__).parent / "dags"]
        home = self.folder / "airflow"
        target = f"127.0.0.1:{self.network.proxy.port}"
        stack = AirflowStack(home, folders, target, env=environment, n_triggerers=2, database_url=database)
        stack.api = PatientApi(stack.api.base_url)
        return stack

    # What is done

    def heal(self) -> None:
        """End every fault of this place, and of Airflow's processes."""
        super().heal()
        for name in TRIGGERERS:
            self.airflow[name].resume()
            if not self.airflow[name].running:
                self.airflow[name].start()

    def worker_pids(self, run: DagRun, task_id: str, number: int = 1) -> tuple[int, int]:
        """Return the ids of the process that runs a try and of its supervisor."""
        marker = self.folder / "workers" / f"{run.run_id}.{task_id}.-1.{number}"
        wait_until(lambda: marker.exists() and marker.read_text(), f"the worker of {task_id}", 90)
        child, parent = marker.read_text().split()
        return int(child), int(parent)

    def kill_worker(self, run: DagRun, task_id: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process that runs the first try of a task."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.worker_pids(run, task_id)[0], number)

    def newest_worker(self, run: DagRun, task_id: str) -> tuple[int, int] | None:
        """Return the ids of the process that runs a task now and of its supervisor; None when there is none."""
        markers = sorted(
            (self.folder / "workers").glob(f"{run.run_id}.{task_id}.-1.*"), key=lambda one: one.stat().st_mtime
        )
        if not markers:
            return None
        child, parent = map(int, markers[-1].read_text().split())
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(child)
            if process.ppid() == parent and process.create_time() < markers[-1].stat().st_mtime:
                return child, parent
        return None

    def serving_triggerer(self) -> str:
        """Return the triggerer with the most connections to Armada."""
        return max(TRIGGERERS, key=self._streams)

    def _streams(self, name: str) -> int:
        port = self.network.proxy.port
        count = 0
        for process in self.airflow[name].family():
            with contextlib.suppress(psutil.Error):
                links = process.net_connections(kind="tcp")
                count += sum(1 for link in links if link.raddr and link.raddr.port == port)
        return count
