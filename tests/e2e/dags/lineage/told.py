"""Jobs that print what they are told of traces and of lineage."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

with DAG("told", schedule=None):
    for mode in ("deferred", "blocking"):
        ArmadaOperator(
            task_id=mode,
            armada_queue="example",
            image="busybox:1.37",
            cmds=["sh", "-c"],
            arguments=["env | grep -E '^(TRACE|OPENLINEAGE)' || echo nothing"],
            container_resources={"cpu": "50m", "memory": "16Mi"},
            deferrable=mode == "deferred",
        )
