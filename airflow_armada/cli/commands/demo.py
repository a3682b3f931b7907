"""``airflow-armada demo``."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from airflow_armada.cli.local import trying
from airflow_armada.cli.output import BAD, INTERRUPTED, OK, Output
from airflow_armada.client.foreign_text import printable
from airflow_armada.local.rest_api import ENDED, DagRun

DAGS = ("armada_hello", "armada_preemption")
_PREEMPTION = "armada_preemption"
_DEADLINE = 180.0  # s
_JOB_OUTPUT = "armada.pod"
_SHOWN_LOGGERS = ("armada.", "airflow_armada", "airflow.task.operators.airflow_armada", "task.stdout")


def demo(arguments: Namespace, output: Output) -> int:
    """Run example DAGs on an Airflow of their own, and show what happens."""
    started, good = time.monotonic(), 0
    dag_ids = arguments.dags or DAGS
    try:
        with trying(arguments, "demo", output) as running:
            for dag_id in dag_ids:
                run = DagRun(running.airflow.api, dag_id, running.airflow.api.start_run(dag_id))
                good += _follow(run, output) == "success" and shows_what_it_is_for(run, output)
    except KeyboardInterrupt:
        output.line("\nInterrupted; everything is stopped.")
        return INTERRUPTED
    seconds = time.monotonic() - started
    output.line(f"\n{good} of {len(dag_ids)} DAG runs succeeded; everything is stopped; {seconds:.0f} s in all.")
    return OK if good == len(dag_ids) else BAD


def shows_what_it_is_for(run: DagRun, output: Output) -> bool:
    """
    Check that the run that is to show preemption has had one.

    :param run: a run that succeeded.
    :param output: where to say what is missing.
    """
    if run.dag_id != _PREEMPTION or run.xcom("patient")["resubmissions"]:
        return True
    output.line(f"{run.dag_id}: nothing was preempted, though the job 'urgent' needed the room of 'patient'")
    return False


class TaskLogs:
    """
    Shows the logs of a run's tasks while they grow, each line once.

    :param run: the run.
    :param output: where to.
    """

    def __init__(self, run: DagRun, output: Output) -> None:
        self.run = run
        self._output = output
        self._shown: set[tuple[str, str, str]] = set()

    def show(self) -> None:
        """Print what is new in the log of every task that has started."""
        for task in self.run.tasks():
            if task["try_number"]:
                for record in self._new(task["task_id"], task["try_number"], task["map_index"]):
                    for line in f"{task['task_id']} | {_text(record)}".splitlines():
                        self._output.line(f"  {printable(line)}")

    def _new(self, task_id: str, try_number: int, map_index: int) -> Iterator[dict[str, Any]]:
        for record in self.run.log(task_id, try_number, map_index):
            key = (f"{task_id} {map_index}", str(record.get("timestamp")), str(record["event"]))
            if _interesting(record) and key not in self._shown:
                self._shown.add(key)
                yield record


def _interesting(record: dict[str, Any]) -> bool:
    """Leave out what Airflow says about itself."""
    logger = str(record.get("logger", ""))
    return logger.startswith(_SHOWN_LOGGERS) or record.get("level") in ("warning", "error", "critical")


def _text(record: dict[str, Any]) -> str:
    head = f"[{record['container']}] " if record.get("container") else ""
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in record.get("error_detail") or []]
    return head + "\n".join([str(record["event"]), *errors])


def _follow(run: DagRun, output: Output) -> str:
    """Show a run until it has ended and return its state."""
    output.line(f"\n{run.dag_id}: started")
    logs = TaskLogs(run, output)
    end = time.monotonic() + _DEADLINE
    while (state := run.state) not in ENDED:
        if time.monotonic() > end:
            output.line(f"{run.dag_id}: still {state} after {_DEADLINE:.0f} s")
            return state
        logs.show()
        time.sleep(0.5)
    logs.show()
    for task in run.tasks():
        output.line(f"  {task['task_id']}: {task['state']} after {task['duration'] or 0:.1f} s{_job(run, task)}")
    output.line(f"{run.dag_id}: {state}")
    return state


def _job(run: DagRun, task: dict[str, Any]) -> str:
    result = run.xcom(task["task_id"], map_index=task["map_index"])
    return f", job {result['job_id']}" if isinstance(result, dict) and "job_id" in result else ""
