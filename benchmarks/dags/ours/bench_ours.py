"""Jobs of a given length with our operator."""

import os
import sys

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

LENGTHS = os.environ.get("BENCH_LENGTHS", "20,20").split(",")
"""Seconds of each job."""


class Measured(ArmadaOperator):
    """Tells whether the resume has imported what only calls need."""

    def execute_complete(self, context, event):
        facts = super().execute_complete(context, event)
        return {**facts, "imported": [name for name in ("grpc", "google.protobuf") if name in sys.modules]}


def job(number: int) -> dict:
    """Return the arguments for one job."""
    return {
        "task_id": f"t{number}",
        "armada_queue": "bench",
        "image": "busybox",
        "cmds": ["sh", "-c"],
        "arguments": [f"sleep {LENGTHS[number]}; : t{number}"],
        "container_resources": {"cpu": "100m", "memory": "64Mi"},
        "deferrable": True,
        "get_logs": os.environ.get("BENCH_LOGS") == "1",
    }


with DAG("bench_ours", schedule=None, max_active_tasks=1000):
    for number in range(len(LENGTHS)):
        Measured(**job(number))

with DAG("bench_trigger_end", schedule=None, max_active_tasks=1000):
    for number in range(len(LENGTHS)):
        ArmadaOperator(**job(number), do_xcom_push=False, end_from_trigger=True)
