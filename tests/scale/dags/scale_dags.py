"""The DAGs of the scale stage."""

import os
from typing import Any

from airflow.sdk import DAG, BaseOperator

from airflow_armada.operators.armada import ArmadaOperator
from tests.scale.jobs import BLOCKING, SHORT, script
from tests.scale.loop_probe import LoopProbe

SMALL: dict[str, Any] = {
    "armada_queue": "scale",
    "image": "busybox:1.37",
    "container_resources": {"cpu": "10m", "memory": "4Mi"},
    "do_xcom_push": False,
}


class WatchOperator(BaseOperator):
    """Watches the triggerer's loop for as long as that lives."""

    def execute(self, context: Any) -> None:
        self.defer(trigger=LoopProbe(os.environ["SCALE_BLOCKS"]), method_name="execute_complete")

    def execute_complete(self, context: Any, event: Any) -> None:
        """Do nothing."""


with DAG("fleet", schedule=None, max_active_tasks=10_000):
    # Nobody starts them: their pool has no slots, and tests put them where `defer` leaves them.
    ArmadaOperator.partial(task_id="job", pool="nobody", cmds=["true"], **SMALL).expand(
        arguments=[[str(number)] for number in range(int(os.environ["SCALE_N"]))]
    )

with DAG("bystander", schedule=None):
    ArmadaOperator(task_id="job", armada_conn_id="stored", end_from_trigger=True, cmds=["true"], **SMALL)

with DAG("blocking", schedule=None, max_active_tasks=10_000):
    ArmadaOperator.partial(task_id="job", deferrable=False, cmds=["bash", "-c"], **SMALL).expand(
        arguments=[[script(SHORT, number, "{{ dag_run.conf['holder'] }}")] for number in range(BLOCKING)]
    )

with DAG("watch", schedule=None):
    WatchOperator(task_id="watch")
