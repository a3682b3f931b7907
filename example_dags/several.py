"""Several containers in one job, and several jobs that start together as a gang."""

from airflow.sdk import DAG

from airflow_armada.operators.armada import ArmadaOperator

SMALL = {"cpu": "100m", "memory": "32Mi"}

with DAG("armada_several", schedule=None, tags=["armada"]):
    shared = {"armada_queue": "example", "image": "busybox:1.37", "cmds": ["sh", "-c"], "container_resources": SMALL}

    # Every line of the task log names its container; get_logs="base" or a list would show only those.
    ArmadaOperator(
        task_id="two_containers",
        arguments=["echo written by the main container"],
        containers=[
            {
                "name": "helper",
                "image": "busybox:1.37",
                "command": ["echo", "written by the helper"],
                "resources": {"limits": SMALL},
            }
        ],
        ports=[8080],
        services=[8080],
        get_logs=True,
        **shared,
    )

    # Armada starts all jobs of a gang at the same moment, or none. Its id must never be used again, so a try is in it.
    ArmadaOperator.partial(
        task_id="gang",
        gang_id="{{ run_id }}-{{ ti.try_number }}",
        gang_cardinality=2,
        **shared,
    ).expand(
        arguments=[["echo member one of $ARMADA_GANG_CARDINALITY"], ["echo member two of $ARMADA_GANG_CARDINALITY"]]
    )
