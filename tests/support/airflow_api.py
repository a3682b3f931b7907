"""What a test does to DAG runs and reads of them, beyond what the demo needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_armada.local import rest_api
from airflow_armada.local.processes import wait_until
from airflow_armada.local.rest_api import ENDED, RefusedByAirflow

__all__ = ["ENDED", "AirflowApi", "DagRun", "RefusedByAirflow"]


class AirflowApi(rest_api.AirflowApi):
    """The REST API of the Airflow under test."""

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> DagRun:
        """Start a run of a DAG."""
        return DagRun(self, dag_id, self.start_run(dag_id, conf))


@dataclass(frozen=True)
class DagRun(rest_api.DagRun):
    """A handle on one DAG run."""

    def _task_path(self, task_id: str, map_index: int = -1) -> str:
        path = f"{self.path}/taskInstances/{task_id}"
        return path if map_index < 0 else f"{path}/{map_index}"

    def wait(self, deadline: float = 120.0) -> str:
        """Wait for the end of the run and return its state."""
        wait_until(lambda: self.state in ENDED, f"the end of {self.dag_id} {self.run_id}", deadline, every=0.3)
        return self.state

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

    def log_text(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of a task as lines of text."""
        return "\n".join(str(record["event"]) for record in self.log(task_id, try_number, map_index))

    def errors(self, task_id: str, try_number: int = 1) -> str:
        """Return the exceptions in a task's log, each with its class."""
        details = [detail for record in self.log(task_id, try_number) for detail in record.get("error_detail") or []]
        return "\n".join(f"{detail['exc_type']}: {detail['exc_value']}" for detail in details)

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
