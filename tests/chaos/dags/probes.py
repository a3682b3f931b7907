"""Where a worker can be killed or held: an operator that looks, at named points, for what its DAG run's conf says.

``conf["probes"][task_id]`` is ``{"at": point, "do": "kill" | "kill_all" | "hold", "tries": [1]}``.
The provider knows nothing of this; the points are laid around its methods in the worker process alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_armada.operators.armada import ArmadaOperator

FOLDER = Path(os.environ.get("CHAOS_FOLDER", "/nonexistent"))
HOLD_SECONDS = 120.0


class ProbedOperator(ArmadaOperator):
    """An ordinary operator, but for the points.

    intended: the intent is noted, nothing is submitted. submitted: the server has accepted, the id is not noted.
    noted: the id is noted. deferring: everything is ready for the deferral. resuming: the trigger has fired, and the
    worker has not looked at the event. finishing: the worker is done, and has not told Airflow.
    """

    def execute(self, context: Any) -> Any:
        reach = _probe(context)
        _lay_points(reach)
        reach("starting")
        return super().execute(context)

    def defer(self, **kwargs: Any) -> None:  # type: ignore[override]
        self._reach("deferring")
        super().defer(**kwargs)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        reach = _probe(context)
        reach("resuming")
        result = super().execute_complete(context, event)
        reach("finishing")
        return result

    def _reach(self, point: str) -> None:
        from airflow.sdk import get_current_context

        _probe(get_current_context())(point)


class ImpatientOperator(ProbedOperator):
    """Lets Airflow itself time out its deferral, as a subclass or a cluster policy might."""

    def defer(self, **kwargs: Any) -> None:  # type: ignore[override]
        super().defer(**{**kwargs, "timeout": timedelta(seconds=15)})


def _probe(context: Mapping[str, Any]) -> Callable[[str], None]:
    ti = context["ti"]
    name = f"{ti.run_id}.{ti.task_id}.{ti.map_index}.{ti.try_number}"
    (FOLDER / "workers").mkdir(parents=True, exist_ok=True)
    (FOLDER / "workers" / name).write_text(f"{os.getpid()} {os.getppid()}")
    wanted = ((context["dag_run"].conf or {}).get("probes") or {}).get(ti.task_id) or {}
    applies = ti.try_number in wanted.get("tries", [1])

    def reach(point: str) -> None:
        if applies and wanted.get("at") == point:
            print(f"probe: {wanted['do']} at {point}", flush=True)
            _ACTIONS[wanted["do"]](FOLDER / "holds" / f"{name}.{point}")

    return reach


def _lay_points(reach: Callable[[str], None]) -> None:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.task.submit.record import Journal

    write, submit = Journal.write, ArmadaClient.submit_jobs

    def probed_write(self: Any, record: Any) -> Any:
        written = write(self, record)
        reach("noted" if record.job_id else "intended")
        return written

    def probed_submit(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = submit(self, *args, **kwargs)
        reach("submitted")
        return answer

    Journal.write, ArmadaClient.submit_jobs = probed_write, probed_submit  # type: ignore[method-assign]


def _kill(_marker: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_all(_marker: Path) -> None:
    """Kill the supervisor first: the machine has gone, and nobody reports anything."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _hold(marker: Path) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    give_up = time.monotonic() + HOLD_SECONDS
    while marker.exists() and time.monotonic() < give_up:
        time.sleep(0.05)


_ACTIONS: dict[str, Callable[[Path], None]] = {"kill": _kill, "kill_all": _kill_all, "hold": _hold}
