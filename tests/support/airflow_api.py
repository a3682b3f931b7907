"""A small client of Airflow's REST API (v2): what a test does to DAG runs and reads of them."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.support.components import wait_until

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class DatabaseLocked(AssertionError):
    """Airflow's answer when SQLite refuses a transaction because another one wrote since it began; nothing changed."""


class AirflowApi:
    """The REST API of one Airflow whose simple auth manager lets everybody in.

    :param base_url: Where the API server listens, without a path.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    @cached_property
    def _token(self) -> str:
        with urllib.request.urlopen(f"{self.base_url}/auth/token", timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Make one call and return the decoded answer.

        :param path: What follows ``/api/v2``.
        :raises AssertionError: when the answer is an error; the text holds what the server said.
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
            kind = DatabaseLocked if "database is locked" in said else AssertionError
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
        """Make a connection that the UI shows, or change the one that is there.

        :param connection: its fields as the API names them; ``extra`` may be a mapping.
        """
        extra = connection.get("extra", {})
        body = {**connection, "connection_id": conn_id, "extra": extra if isinstance(extra, str) else json.dumps(extra)}
        try:
            self.call("POST", "/connections", body)
        except AssertionError:
            self.call("PATCH", f"/connections/{conn_id}", body)

    def import_errors(self) -> list[str]:
        errors = self.call("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self.call("GET", "/dags", limit=200)["dags"]}

    def wait_for_dags(self, dag_ids: Collection[str], deadline: float = 60.0) -> None:
        """Wait until the DAG processor has handed in these DAGs; fail at once when a file cannot be imported."""

        def there() -> bool:
            if errors := self.import_errors():
                raise AssertionError("\n".join(errors))
            return self.dag_ids() >= set(dag_ids)

        wait_until(there, f"the DAGs {sorted(dag_ids)}", deadline, every=0.3)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> DagRun:
        """Start a run of a DAG."""
        self.wait_for_dags([dag_id])
        run = self.call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})
        return DagRun(self, dag_id, run["dag_run_id"])


@dataclass(frozen=True)
class DagRun:
    """A handle on one DAG run."""

    api: AirflowApi
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def _task_path(self, task_id: str, map_index: int = -1) -> str:
        path = f"{self.path}/taskInstances/{task_id}"
        return path if map_index < 0 else f"{path}/{map_index}"

    @property
    def state(self) -> str:
        return str(self.api.call("GET", self.path)["state"])

    def wait(self, deadline: float = 120.0) -> str:
        """Wait for the end of the run and return its state."""
        wait_until(lambda: self.state in ENDED, f"the end of {self.dag_id} {self.run_id}", deadline, every=0.3)
        return self.state

    def tasks(self) -> list[dict[str, Any]]:
        """Return all task instances of the run."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.api.call("GET", f"{self.path}/taskInstances", limit=100, offset=len(found))
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def states(self) -> dict[str, str]:
        """Return the state by task id, of tasks that are not mapped."""
        return {task["task_id"]: task["state"] for task in self.tasks() if task["map_index"] < 0}

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance."""
        answer: dict[str, Any] = self.api.call("GET", self._task_path(task_id, map_index))
        return answer

    def wait_for_task(self, task_id: str, *states: str, deadline: float = 60.0, map_index: int = -1) -> str:
        """Wait until a task is in one of the states and return which."""
        wait_until(
            lambda: self.task(task_id, map_index)["state"] in states,
            f"{self.dag_id}.{task_id} to be {' or '.join(states)}",
            deadline,
        )
        return str(self.task(task_id, map_index)["state"])

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> list[dict[str, Any]]:
        """Return the records of a task's log, as the UI shows them: worker's and trigger's merged by time."""
        path = f"{self.path}/taskInstances/{task_id}/logs/{try_number}"
        page = self.api.call("GET", path, full_content="true", map_index=map_index)
        return [record if isinstance(record, dict) else {"event": record} for record in page["content"]]

    def log_text(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of a task as lines of text."""
        return "\n".join(str(record["event"]) for record in self.log(task_id, try_number, map_index))

    def errors(self, task_id: str, try_number: int = 1) -> str:
        """Return the exceptions in a task's log, each with its class."""
        details = [detail for record in self.log(task_id, try_number) for detail in record.get("error_detail") or []]
        return "\n".join(f"{detail['exc_type']}: {detail['exc_value']}" for detail in details)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return a value that a task pushed; None when there is none."""
        path = f"{self.path}/taskInstances/{task_id}/xcomEntries"
        keys = [entry["key"] for entry in self.api.call("GET", path, map_index=map_index)["xcom_entries"]]
        if key not in keys:
            return None
        return self.api.call("GET", f"{path}/{key}", map_index=map_index, deserialize="false")["value"]

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the extra links of a task: name to address."""
        path = f"{self.path}/taskInstances/{task_id}/links"
        links: dict[str, str | None] = self.api.call("GET", path, map_index=map_index)["extra_links"]
        return links

    def mark_task(self, task_id: str, state: str, map_index: int = -1) -> None:
        """Set the state of a task, as the UI's "Mark state as" does."""
        self.api.call("PATCH", self._task_path(task_id, map_index), {"new_state": state})

    def mark(self, state: str) -> None:
        """Set the state of the run, as the UI's "Mark state as" does."""
        self.api.call("PATCH", self.path, {"state": state})

    def clear(self, task_ids: Sequence[str]) -> None:
        """Clear tasks of the run, so that they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.api.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", body)
