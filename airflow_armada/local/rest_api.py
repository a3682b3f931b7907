"""A small client of Airflow's REST API (v2): what starts DAG runs here, and reads of them."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_armada.local.processes import wait_until

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States of runs and tasks in which nothing more happens."""


class RefusedByAirflow(RuntimeError):
    """The API answered with an error; the text holds what it said."""


class DatabaseLocked(RefusedByAirflow):
    """Airflow's answer when SQLite refuses a transaction because another one wrote since it began; nothing changed."""


class AirflowApi:
    """
    The REST API of one Airflow whose simple auth manager lets everybody in.

    :param base_url: where the API server listens, without a path.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    @cached_property
    def _token(self) -> str:
        with urllib.request.urlopen(f"{self.base_url}/auth/token", timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """
        Make one call.

        :param method: of HTTP.
        :param path: what follows ``/api/v2``.
        :param body: sent as JSON.
        :param query: parameters of the query.
        :return: the decoded answer.
        :raises RefusedByAirflow: when the answer is an error.
        """
        url = f"{self.base_url}/api/v2{urllib.parse.quote(path)}"
        if query:
            url = f"{url}?{urllib.parse.urlencode(query, doseq=True)}"
        request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        for _ in range(5):
            with contextlib.suppress(DatabaseLocked):
                return self._send(request)
            time.sleep(0.5)
        return self._send(request)

    @staticmethod
    def _send(request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            kind = DatabaseLocked if "database is locked" in said else RefusedByAirflow
            raise kind(f"{request.method} {request.full_url}: {error.code} {said}") from None

    def health(self) -> dict[str, str]:
        """Return the status by component; all "starting" while the server does not answer yet."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/api/v2/monitor/health", timeout=5) as answer:
                return {name: str(part["status"]) for name, part in json.load(answer).items()}
        except OSError:
            return {"api-server": "starting"}

    def warm_up(self) -> None:
        """Let the API server build its Execution API now; the first task would wait for it otherwise."""
        with urllib.request.urlopen(f"{self.base_url}/execution/health", timeout=120) as answer:
            answer.read()

    def set_connection(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """
        Make a connection that the UI shows, or change the one that is there.

        :param conn_id: its id.
        :param connection: its fields as the API names them; ``extra`` may be a mapping.
        """
        extra = connection.get("extra", {})
        body = {**connection, "connection_id": conn_id, "extra": extra if isinstance(extra, str) else json.dumps(extra)}
        try:
            self.call("POST", "/connections", body)
        except RefusedByAirflow:
            self.call("PATCH", f"/connections/{conn_id}", body)

    def import_errors(self) -> list[str]:
        """Return what DAG files could not be read, and why."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that are known."""
        return {dag["dag_id"] for dag in self.call("GET", "/dags", limit=200)["dags"]}

    def wait_for_dags(self, dag_ids: Collection[str], deadline: float = 60.0) -> None:
        """
        Wait until the DAG processor has handed in these DAGs; fail at once when a file cannot be imported.

        :param dag_ids: their ids.
        :param deadline: seconds until it counts as failed.
        """

        def there() -> bool:
            if errors := self.import_errors():
                raise RefusedByAirflow("\n".join(errors))
            return self.dag_ids() >= set(dag_ids)

        wait_until(there, f"the DAGs {sorted(dag_ids)}", deadline, every=0.3)

    def start_run(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG and return its id."""
        self.wait_for_dags([dag_id])
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])


@dataclass(frozen=True)
class DagRun:
    """
    One DAG run.

    :param api: of its Airflow.
    :param dag_id: id of its DAG.
    :param run_id: its id.
    """

    api: AirflowApi
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    @property
    def state(self) -> str:
        """Its state."""
        return str(self.api.call("GET", self.path)["state"])

    def tasks(self) -> list[dict[str, Any]]:
        """Return all task instances of the run."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.api.call("GET", f"{self.path}/taskInstances", limit=100, offset=len(found))
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> list[dict[str, Any]]:
        """Return the records of a task's log, as the UI shows them: worker's and trigger's merged by time."""
        path = f"{self.path}/taskInstances/{task_id}/logs/{try_number}"
        page = self.api.call("GET", path, full_content="true", map_index=map_index)
        return [record if isinstance(record, dict) else {"event": record} for record in page["content"]]

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return a value that a task pushed; None when there is none."""
        path = f"{self.path}/taskInstances/{task_id}/xcomEntries"
        keys = [entry["key"] for entry in self.api.call("GET", path, map_index=map_index)["xcom_entries"]]
        if key not in keys:
            return None
        return self.api.call("GET", f"{path}/{key}", map_index=map_index, deserialize="false")["value"]
