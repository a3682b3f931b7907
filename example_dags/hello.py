"""The smallest DAG there is: one task that is one Armada job."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

with DAG("armada_hello", schedule=None, tags=["armada"]):
    ArmadaOperator(
        task_id="hello",
        armada_queue="example",
        image="busybox:1.37",
        cmds=["sh", "-c"],
        arguments=['for word in Hello from Armada; do echo "$word"; sleep 1; done'],
        container_resources={"cpu": "200m", "memory": "64Mi"},
    )
