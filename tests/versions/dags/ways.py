"""What users do daily, in both modes, with nothing that only the newest Airflow has."""

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_armada.callbacks import JobCallbacks
from airflow_armada.operators.armada import ArmadaOperator

SMALL = {
    "armada_queue": "example",
    "image": "busybox:1.37",
    "container_resources": {"cpu": "50m", "memory": "16Mi"},
}
AGAIN = {"retries": 1, "retry_delay": timedelta(seconds=1)}

LINKS = {"Grafana": "https://grafana.example/?job={job_id}", "Node": "https://nodes.example/{cluster}/{node}"}


class Saying(JobCallbacks):
    """Tells of its calls in the task log, and fails."""

    def ended(self, *, status: str, **more: Any) -> None:
        raise RuntimeError(f"heard that it {status}")


# What each job runs, and what its task is told beyond that.
JOBS = {
    "succeeds": ("echo one; echo two", {}),
    "fails": ("echo it broke >&2; exit 3", {"extra_links": LINKS, "callbacks": Saying}),
    "hands_in": ("echo '::armada-result::{\"answer\": 42}'", {"get_result": True}),
    "second_try": ("exit $((2 - AIRFLOW_CTX_TRY_NUMBER))", AGAIN),
    "rejected": ("echo never", {"container_resources": {"cpu": "1000", "memory": "16Mi"}, "retries": 2}),
    "preempted": (
        "[ $AIRFLOW_CTX_RESUBMISSION = 1 ] || sleep 600; echo again",
        {"preemption_retries": 1, "priority_class_name": "armada-preemptible"},
    ),
    "cleared": ("[ $AIRFLOW_CTX_TRY_NUMBER = 2 ] || sleep 600; echo again", {}),
    "out_of_time": ("sleep 600", {"execution_timeout": timedelta(seconds=15)}),
    "marked": ("echo waiting; sleep 600", {}),
    "by_uri": ("echo reached", {"armada_conn_id": "armada_by_uri"}),
}


class CrashingOperator(ArmadaOperator):
    """Its worker process dies in the first try, when the job has been submitted."""

    def defer(self, **arguments: Any) -> None:
        from airflow.sdk import get_current_context

        if get_current_context()["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        super().defer(**arguments)


with DAG("ways", schedule=None, max_active_tasks=64):
    for mode, deferrable in (("deferred", True), ("blocking", False)):
        for name, (script, further) in JOBS.items():
            ArmadaOperator(
                task_id=f"{name}_{mode}",
                cmds=["sh", "-c"],
                arguments=[script],
                deferrable=deferrable,
                **{**SMALL, **further},
            )

    CrashingOperator(task_id="adopts", cmds=["sh", "-c"], arguments=["echo once; sleep 10"], **AGAIN, **SMALL)

    ArmadaOperator.partial(task_id="mapped", cmds=["echo"], **SMALL).expand(arguments=[["first"], ["second"]])

    @task.armada(**SMALL)
    def add(first: int, second: int) -> int:
        print("adding")
        return first + second

    @task.armada_cmd(**SMALL)
    def say(number: int, ds: str | None = None) -> list[str]:
        return ["echo", f"said {number}"]

    say.expand(number=[add(3, 4), 8])
