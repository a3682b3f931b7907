"""Waiting for jobs by polling with ``armada-client``, one call per job and poll, as the published operator does."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import grpc.aio
from armada_client.armada import submit_pb2
from armada_client.asyncio_client import ArmadaAsyncIOClient

from benchmarks.children import answer
from benchmarks.servers.control import Control
from benchmarks.stats import percentile

ENDED = {submit_pb2.SUCCEEDED, submit_pb2.FAILED, submit_pb2.CANCELLED, submit_pb2.PREEMPTED, submit_pb2.REJECTED}


async def _poll(client: Any, job: str, interval: float, seen: dict[str, float]) -> None:
    await asyncio.sleep(random.uniform(0, interval))
    while True:
        status = await client.get_job_status([job])
        if status.job_states[job] in ENDED:
            seen[f"{job} succeeded"] = time.monotonic()
            return
        await asyncio.sleep(interval)


async def _measure(target: str, jobs: int, kinds: list[str], rate: float, interval: float) -> dict[str, Any]:
    control = Control(target)
    control.do("reset")
    created = control.do("create", job_sets=["polled"], jobs=jobs)["jobs"]["polled"]
    control.do("forget")
    seen: dict[str, float] = {}
    async with grpc.aio.insecure_channel(target) as channel:
        client = ArmadaAsyncIOClient(channel)
        cpu = time.process_time()
        tasks = [asyncio.create_task(_poll(client, job, interval, seen)) for job in created]
        order = {"kinds": kinds, "rate": rate, "jobs": created}
        events = (await asyncio.to_thread(control.do, "play", **order))["events"]
        await asyncio.wait_for(asyncio.gather(*tasks), events / rate + 2 * interval + 120)
        cpu = time.process_time() - cpu
    happened = control.do("happened")
    waits = [moment - happened[key] for key, moment in seen.items()]
    calls = control.do("status")["calls"]
    return {
        "jobs": jobs,
        "calls": calls,
        "calls_per_job": sum(calls.values()) / jobs,
        "ms_per_job": cpu / jobs * 1000,
        "p50": percentile(waits, 50),
        "p99": percentile(waits, 99),
        "wall": events / rate,
    }


def run(target: str, jobs: int, kinds: list[str], rate: float, interval: float) -> dict[str, Any]:
    """Poll until all jobs have ended.

    :param target: the event server
    :param jobs: how many jobs
    :param kinds: the events that each job goes through
    :param rate: events a second, over all jobs
    :param interval: s between two polls of a job
    """
    return asyncio.run(_measure(target, jobs, kinds, rate, interval))


if __name__ == "__main__":
    answer(run)
