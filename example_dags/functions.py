"""Python functions as jobs, and values that jobs give back."""

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

with DAG("armada_functions", schedule=None, params={"numbers": [1, 2, 3]}, tags=["armada"]):
    small = {"armada_queue": "example", "container_resources": {"cpu": "200m", "memory": "64Mi"}}

    @task.armada(image="python:3.12", **small)
    def square(number: int) -> int:
        """Run in the job: with its own imports, and nothing else of this file."""
        import operator

        print(f"squaring {number}")
        return operator.mul(number, number)

    @task.armada(image="python:3.12", **small)
    def total(numbers: list[int]) -> int:
        """Add up what the mapped tasks returned."""
        return sum(numbers)

    @task.armada_cmd(image="busybox:1.37", **small)
    def say(number: int) -> list[str]:
        """Run on the worker, and return the command for the job."""
        return ["echo", f"the sum of the squares is {number}", "in {{ run_id }}"]

    say(total(square.expand(number=[1, 2, 3])))

    # Any program can give a value back: one line on its log.
    rows = ArmadaOperator(
        task_id="rows",
        image="busybox:1.37",
        cmds=["sh", "-c"],
        arguments=["""echo '::armada-result::{"rows": 42}'"""],
        get_result=True,
        **small,
    )

    @task
    def report(result: dict[str, int]) -> None:
        """Use it in the next task."""
        print(f"{result['rows']} rows")

    report(rows.output)
