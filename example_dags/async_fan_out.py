"""Many jobs of one task: an async task submits them, waits for all of them at once, and returns what they printed.

Worth it where jobs are short, or depend on each other's values; one task for each job (``mapped.py``) can be watched
and retried job by job, and holds no worker. Needs Airflow 3.2.
"""

import asyncio

from airflow.sdk import DAG, task

from airflow_armada.hooks.armada import ArmadaHook

SMALL = {"image": "busybox:1.37", "container_resources": {"cpu": "100m", "memory": "32Mi"}}

with DAG("armada_async_fan_out", schedule=None, tags=["armada"]):

    @task
    async def squares(numbers: list[int]) -> dict[str, int]:
        hook = ArmadaHook()

        async def square(number: int) -> int:
            return await hook.run(
                queue="example",
                name=f"square-of-{number}",
                cmds=["sh", "-c"],
                arguments=[f"echo working; echo ::armada-result::$(({number} * {number}))"],
                get_result=True,
                execution_timeout=600,
                **SMALL,
            )

        # The first job that fails cancels all others; asyncio.gather() would wait for none of them, and leave them to
        # the end of the task.
        async with asyncio.TaskGroup() as group:
            jobs = {number: group.create_task(square(number)) for number in numbers}
        return {str(number): job.result() for number, job in jobs.items()}

    squares([2, 3, 4])
