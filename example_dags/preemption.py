"""Preemption: an urgent job takes the place of a preemptible one, which is submitted again and finishes.

The requests are made for the embedded Armada of ``make demo`` and ``make up``, which has 4 CPUs: ``patient`` and
``prepare`` fit beside each other, ``patient`` and ``urgent`` do not.
"""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

with DAG("armada_preemption", schedule=None, params={"seconds": 120}, tags=["armada"]):
    shared = {"armada_queue": "example", "image": "busybox:1.37", "cmds": ["sh", "-c"]}

    ArmadaOperator(
        task_id="patient",
        # Its first job works until it has to go; the one that is submitted in its place has less to do.
        arguments=['echo working; [ "$AIRFLOW_CTX_RESUBMISSION" -gt 0 ] || sleep {{ params.seconds }}; echo done'],
        container_resources={"cpu": "3", "memory": "64Mi"},
        priority_class_name="armada-preemptible",
        preemption_retries=3,
        **shared,
    )

    prepare = ArmadaOperator(
        task_id="prepare",
        arguments=["echo something urgent comes up; sleep 2"],
        container_resources={"cpu": "500m", "memory": "64Mi"},
        **shared,
    )
    urgent = ArmadaOperator(
        task_id="urgent",
        arguments=["echo out of the way; sleep 3; echo thank you"],
        container_resources={"cpu": "2", "memory": "64Mi"},
        priority_class_name="armada-default",
        **shared,
    )
    prepare >> urgent
