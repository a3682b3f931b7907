"""``make demo``: run example DAGs on a real Airflow, their jobs on the embedded Armada, and show what happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from scripts.local import ROOT, local_airflow, say
from tests.support.airflow_api import ENDED, DagRun

DAGS = ("armada_hello", "armada_preemption")
DEADLINE = 180.0
JOB_OUTPUT = "armada.pod"
SHOWN_LOGGERS = ("armada.", "airflow_armada", "task.stdout")


class TaskLogs:
    """Shows the logs of a run's tasks while they grow, each line once."""

    def __init__(self, run: DagRun) -> None:
        self.run = run
        self._shown: set[tuple[str, str, str]] = set()

    def show(self) -> None:
        """Print what is new in the log of every task that has started."""
        for task in self.run.tasks():
            if task["try_number"]:
                for record in self._new(task["task_id"], task["try_number"], task["map_index"]):
                    say(_indented(f"{task['task_id']} | {_text(record)}"))

    def _new(self, task_id: str, try_number: int, map_index: int) -> Iterator[dict[str, Any]]:
        for record in self.run.log(task_id, try_number, map_index):
            key = (f"{task_id} {map_index}", str(record.get("timestamp")), str(record["event"]))
            if _interesting(record) and key not in self._shown:
                self._shown.add(key)
                yield record


def _interesting(record: dict[str, Any]) -> bool:
    """Leave out what Airflow says about itself."""
    logger = str(record.get("logger", ""))
    return logger.startswith(SHOWN_LOGGERS) or record.get("level") in ("warning", "error", "critical")


def _text(record: dict[str, Any]) -> str:
    container = f"[{record.get('container', '')}] " if record.get("logger") == JOB_OUTPUT else ""
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in record.get("error_detail") or []]
    return container + "\n".join([str(record["event"]), *errors])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def follow(run: DagRun) -> str:
    """Show a run until it has ended and return its state."""
    say(f"\n{run.dag_id}: started")
    logs = TaskLogs(run)
    end = time.monotonic() + DEADLINE
    while (state := run.state) not in ENDED:
        if time.monotonic() > end:
            return f"still {state} after {DEADLINE:.0f} s"
        logs.show()
        time.sleep(0.5)
    logs.show()
    for task in run.tasks():
        say(f"  {task['task_id']}: {task['state']} after {task['duration'] or 0:.1f} s{_job(run, task)}")
    say(f"{run.dag_id}: {state}")
    return state


def checked(run: DagRun) -> str:
    """Show a run and return its state; one that shows preemption has to have had one."""
    state = follow(run)
    if run.dag_id == "armada_preemption" and state == "success" and not run.xcom("patient")["resubmissions"]:
        say(f"{run.dag_id}: nothing was preempted, though the job 'urgent' needed the room of 'patient'")
        return "without preemption"
    return state


def _job(run: DagRun, task: dict[str, Any]) -> str:
    result = run.xcom(task["task_id"], map_index=task["map_index"])
    return f", job {result['job_id']}" if isinstance(result, dict) and "job_id" in result else ""


def main(dag_ids: list[str]) -> int:
    started = time.monotonic()
    with local_airflow(ROOT / ".demo") as (airflow, _armada, _target):
        states = [checked(airflow.api.trigger(dag_id)) for dag_id in dag_ids]
    good = states.count("success")
    seconds = time.monotonic() - started
    say(f"\n{good} of {len(states)} DAG runs succeeded; everything is stopped; {seconds:.0f} s in all.")
    return 0 if good == len(states) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:] or list(DAGS)))
    except KeyboardInterrupt:
        say("\nInterrupted; everything is stopped.")
        sys.exit(130)
    except (RuntimeError, TimeoutError, AssertionError) as error:
        sys.exit(f"make demo: {error}")
