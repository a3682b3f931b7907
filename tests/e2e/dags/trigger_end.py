"""Tasks that may end in the triggerer: one whose job succeeds, one whose job fails, and what comes after."""

from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator

from airflow_armada.operators.armada import ArmadaOperator


class Nothing(BaseOperator):
    """Do nothing."""

    def execute(self, context):
        return None


with DAG("trigger_end", schedule=None):
    for end, script in {"good": "echo first; sleep 3; echo last", "bad": "echo alas; exit 3"}.items():
        ArmadaOperator(
            task_id=end,
            armada_queue="example",
            image="busybox:1.37",
            cmds=["sh", "-c"],
            arguments=[script],
            container_resources={"cpu": "50m", "memory": "16Mi"},
            deferrable=True,
            do_xcom_push=False,
            end_from_trigger=True,
        ) >> Nothing(task_id=f"after_{end}")
