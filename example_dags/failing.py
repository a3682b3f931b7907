"""A job that fails: its exit code, its last words and where it ran are in the task's error."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

with DAG("armada_failing", schedule=None, tags=["armada"]):
    ArmadaOperator(
        task_id="divide",
        armada_queue="example",
        image="busybox:1.37",
        cmds=["sh", "-c"],
        arguments=["echo dividing by zero >&2; exit 3"],
        container_resources={"cpu": "200m", "memory": "64Mi"},
    )
