"""The same jobs with the operator of ``armada-airflow``, with its default poll interval."""

import os

from airflow.sdk import DAG
from armada.model import GrpcChannelArgs
from armada.operators.armada import ArmadaOperator
from armada_client.armada import submit_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource

LENGTHS = os.environ.get("BENCH_LENGTHS", "20,20").split(",")
"""Seconds of each job."""


def job(number: int) -> submit_pb2.JobSubmitRequestItem:
    """Return the request for one job."""
    amounts = {name: api_resource.Quantity(string=text) for name, text in (("cpu", "100m"), ("memory", "64Mi"))}
    container = core_v1.Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=[f"sleep {LENGTHS[number]}; : t{number}"],
        resources=core_v1.ResourceRequirements(requests=amounts, limits=amounts),
    )
    return submit_pb2.JobSubmitRequestItem(
        priority=1, namespace="default", pod_spec=core_v1.PodSpec(containers=[container])
    )


with DAG("bench_peer", schedule=None, max_active_tasks=1000):
    for number in range(len(LENGTHS)):
        ArmadaOperator(
            task_id=f"t{number}",
            name=f"t{number}",
            channel_args=GrpcChannelArgs(target=os.environ.get("BENCH_ARMADA", "127.0.0.1:1"), auth=None),
            armada_queue="bench",
            job_request=job(number),
            deferrable=True,
        )
