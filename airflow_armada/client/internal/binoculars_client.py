"""The plain calls of the log service, under the names of ``armada-client``; ``log_client`` reads a whole log."""

from __future__ import annotations

from typing import Any

from airflow_armada.api import binoculars_pb2, core_v1_pb2, empty_pb2
from airflow_armada.client.armada.binoculars_pb2_grpc import BinocularsStub
from airflow_armada.client.calls.messages import adopt


class BinocularsClient:
    """Talks to the log service of a cluster.

    :param channel: a gRPC channel, sync or asyncio; with the latter the answers are awaited
    """

    def __init__(self, channel: Any) -> None:
        self.binoculars_stub = BinocularsStub(channel)

    def logs(
        self,
        job_id: str,
        since_time: str,
        pod_namespace: str | None = "default",
        pod_number: int | None = 0,
        log_options: core_v1_pb2.PodLogOptions | None = None,
    ) -> binoculars_pb2.LogResponse:
        """Return one page of the log of a job.

        :param job_id: the job
        :param since_time: RFC 3339; "" for the beginning
        :param pod_namespace: Kubernetes namespace of its pod
        :param pod_number: number of the pod within the job
        :param log_options: Kubernetes' options, such as the container
        :return: its lines, with ``line`` as bytes
        """
        options = core_v1_pb2.PodLogOptions() if log_options is None else adopt(log_options, core_v1_pb2.PodLogOptions)
        request = binoculars_pb2.LogRequest(
            job_id=job_id,
            pod_number=pod_number,
            pod_namespace=pod_namespace,
            since_time=since_time,
            log_options=options,
        )
        answer: binoculars_pb2.LogResponse = self.binoculars_stub.Logs(request)
        return answer

    def cordon(self, node_name: str) -> empty_pb2.Empty:
        """Keep new pods off a node.

        :param node_name: the node
        """
        answer: empty_pb2.Empty = self.binoculars_stub.Cordon(binoculars_pb2.CordonRequest(node_name=node_name))
        return answer
