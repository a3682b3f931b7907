"""Jobs of async tasks, which Airflow has from 3.2 on."""

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_armada.hooks.armada import ArmadaHook


async def sh(script: str, **arguments: Any) -> Any:
    return await ArmadaHook().run(
        queue="example",
        image="busybox:1.37",
        container_resources={"cpu": "50m", "memory": "16Mi"},
        cmds=["sh", "-c"],
        arguments=[script],
        **arguments,
    )


with DAG("async_ways", schedule=None, max_active_tasks=64):

    @task
    async def gathers() -> list[int]:
        return await asyncio.gather(*(sh(f"echo ::armada-result::{n}", get_result=True) for n in (1, 2, 3)))

    @task
    async def is_killed() -> None:
        await sh("echo waiting; sleep 600")

    @task(execution_timeout=timedelta(seconds=20))
    async def runs_out_of_time() -> None:
        await sh("echo waiting; sleep 600")

    @task
    async def loses_a_sibling() -> None:
        await asyncio.gather(sh("sleep 600", name="left"), sh("sleep 5; echo it broke; exit 3", name="broken"))

    gathers(), is_killed(), runs_out_of_time(), loses_a_sibling()
