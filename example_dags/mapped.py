"""Mapped tasks: one job each, all in the job set of the DAG run, all watched over one event stream."""

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

with DAG("armada_mapped", schedule=None, params={"jobs": 10}, tags=["armada"]):

    @task
    def plan(params: dict[str, int]) -> list[list[str]]:
        """Return the arguments of each job."""
        return [["-c", f"echo this is job {number}; sleep {number % 9}"] for number in range(params["jobs"])]

    ArmadaOperator.partial(
        task_id="work",
        armada_queue="example",
        image="busybox:1.37",
        cmds=["sh"],
        container_resources={"cpu": "50m", "memory": "16Mi"},
    ).expand(arguments=plan())
