"""A DAG whose mapped tasks nobody starts: their pool has no slots, and tests put them where ``defer`` leaves them."""

import os
from typing import Any

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

SMALL: dict[str, Any] = {
    "armada_queue": "scale",
    "image": "busybox:1.37",
    "container_resources": {"cpu": "10m", "memory": "4Mi"},
}

with DAG("fleet", schedule=None, max_active_tasks=10_000):
    ArmadaOperator.partial(task_id="job", pool="nobody", do_xcom_push=False, cmds=["true"], **SMALL).expand(
        arguments=[[str(number)] for number in range(int(os.environ["SCALE_N"]))]
    )

with DAG("bystander", schedule=None):
    ArmadaOperator(
        task_id="job", armada_conn_id="stored", do_xcom_push=False, end_from_trigger=True, cmds=["true"], **SMALL
    )
