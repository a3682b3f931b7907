"""Submitting many jobs: through the client, and with a bare stub in a loop."""

from __future__ import annotations

import time
from typing import Any

import grpc

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.api.methods import Submit
from benchmarks.children import answer
from benchmarks.synthetic import QUEUE

PART = 500


def _item(number: int) -> submit_pb2.JobSubmitRequestItem:
    container = core_v1_pb2.Container(name="main", image="registry.example.internal/team/image:1.2.3", args=["work"])
    for name, amount in (("cpu", "1"), ("memory", "2Gi")):
        container.resources.requests[name].string = amount
        container.resources.limits[name].string = amount
    spec = core_v1_pb2.PodSpec(containers=[container])
    return submit_pb2.JobSubmitRequestItem(
        priority=1, namespace="default", client_id=f"bench-{number}", pod_specs=[spec], labels={"part": str(number)}
    )


def _one_by_one(stub: Any, items: list[Any]) -> int:
    for item in items:
        stub(submit_pb2.JobSubmitRequest(queue=QUEUE, job_set_id="submit", job_request_items=[item]), timeout=10)
    return len(items)


def _in_parts(stub: Any, items: list[Any]) -> int:
    done = 0
    for begin in range(0, len(items), PART):
        part = items[begin : begin + PART]
        request = submit_pb2.JobSubmitRequest(queue=QUEUE, job_set_id="submit", job_request_items=part)
        done += len(stub(request, timeout=30).job_response_items)
    return done


def run(target: str, jobs: int, way: str) -> dict[str, float]:
    """Submit jobs that have been made already.

    :param target: the event server
    :param way: ``bare one by one``, ``bare in parts``, ``client one by one`` or ``client``
    """
    from airflow_armada.client.channel import open_channel
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.settings import SiteSettings

    items = [_item(number) for number in range(jobs)]
    if way.startswith("bare"):
        channel = grpc.insecure_channel(target)
        stub = Submit.SUBMIT_JOBS.bind(channel)
        _one_by_one(stub, items[:1])
    else:
        client = ArmadaClient(open_channel(SiteSettings(target, tls=None)))
        client.submit_jobs(QUEUE, "submit", items[:1])
    wall, cpu = time.perf_counter(), time.process_time()
    if way == "bare one by one":
        done = _one_by_one(stub, items)
    elif way == "bare in parts":
        done = _in_parts(stub, items)
    elif way == "client one by one":
        done = sum(len(client.submit_jobs(QUEUE, "submit", [item]).job_response_items) for item in items)
    else:
        done = len(client.submit_jobs(QUEUE, "submit", items).job_response_items)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if done != jobs:
        raise RuntimeError(f"{done} of {jobs} jobs were submitted")
    return {"wall": wall, "cpu": cpu, "rate": jobs / wall, "us_per_job": cpu / jobs * 1e6}


if __name__ == "__main__":
    answer(run)
