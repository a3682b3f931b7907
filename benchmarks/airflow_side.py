"""One real Airflow, run and measured by the interpreter of its own environment, on orders from outside.

It gets its parameters as JSON on the command line, prints a line of JSON when Airflow is healthy, and one for each
order on its standard input; it stops Airflow when that is closed.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.support.airflow_stack import AirflowStack
from tests.support.components import Component

_EXECUTION = re.compile(r"/execution/([\w-]+)(?:/([^\s\"?]*))?")
_IDENTITY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
SETTLE = 6.0
"""Seconds after the end of a run in which Airflow still works for it: a worker's end is noticed late."""


def cpu_seconds(component: Component) -> float:
    """Return the CPU time of a process and all that have descended from it."""
    total = 0.0
    for process in component.family():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def execution_calls(text: str) -> Counter[str]:
    """Count the calls to the execution API in an access log, by what they are for."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if match := _EXECUTION.search(line):
            rest = _IDENTITY.sub("", match[2] or "").strip("/").partition("/")[0]
            found["/".join(part for part in (match[1], rest if match[1] == "task-instances" else "") if part)] += 1
    return found


class Side:
    """One Airflow that is measured.

    :param stack: it, running
    """

    def __init__(self, stack: AirflowStack) -> None:
        self.stack = stack
        self._access_log = stack["api-server"].log_file

    def cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(component) for name, component in self.stack.components.items()}

    def idle(self, seconds: float) -> dict[str, Any]:
        """Measure the CPU time of doing nothing, per second."""
        before = self.cpu()
        time.sleep(seconds)
        after = self.cpu()
        return {name: (after[name] - before[name]) / seconds for name in before}

    def run(self, dag: str, deadline: float) -> dict[str, Any]:
        """Run a DAG to its end and return what it took."""
        offset, before, begun = self._access_log.stat().st_size, self.cpu(), time.monotonic()
        run = self.stack.api.trigger(dag)
        state = run.wait(deadline)
        wall = time.monotonic() - begun
        time.sleep(SETTLE)
        after, measured = self.cpu(), time.monotonic() - begun
        with self._access_log.open("rb") as log:
            log.seek(offset)
            calls = execution_calls(log.read().decode(errors="replace"))
        tasks = {task["task_id"]: _plain(task) for task in run.tasks()}
        cpu = {name: after[name] - before[name] for name in before}
        value = run.xcom("t0")
        return {
            "state": state,
            "wall": wall,
            "measured": measured,
            "cpu": cpu,
            "calls": calls,
            "tasks": tasks,
            "imported": value.get("imported") if isinstance(value, dict) else None,
        }


def _plain(task: dict[str, Any]) -> dict[str, Any]:
    moments = {name: _epoch(task[name]) for name in ("start_date", "end_date")}
    return {"state": task["state"], "try_number": task["try_number"], **moments}


def _epoch(text: str | None) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def main(home: str, dag_folders: list[str], target: str, env: dict[str, str], dags: list[str]) -> None:
    """Start Airflow, carry out orders, stop it."""
    with AirflowStack(Path(home), [Path(folder) for folder in dag_folders], target, env=env) as stack:
        stack.api.wait_for_dags(dags)
        side = Side(stack)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(getattr(side, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
