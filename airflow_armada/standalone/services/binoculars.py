"""``binoculars.Binoculars``: the logs of pods, with the limits that Kubernetes and Binoculars give them."""

from __future__ import annotations

import re
from datetime import datetime

import grpc

from airflow_armada.api import binoculars_pb2, empty_pb2, methods
from airflow_armada.api.core_v1_pb2 import PodLogOptions
from airflow_armada.standalone import clock
from airflow_armada.standalone.api_error import ApiError, unknown
from airflow_armada.standalone.ids import pod_name
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.container_log import rfc3339
from airflow_armada.standalone.runner.pod import Pod
from airflow_armada.standalone.runner.simulation import SimulatedContainer, SimulatedPod
from airflow_armada.standalone.services.access import Access, Caller
from airflow_armada.standalone.services.routes import Routes

MAX_PAGE = 2_000_000
GONE = "The pod with these logs doesn't exist - likely because the job has finished and its pod has been cleaned up"
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


class BinocularsService:
    """Handlers of ``binoculars.Binoculars``."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> Routes:
        """Return the handlers by method."""
        return {methods.Binoculars.LOGS: self.logs, methods.Binoculars.CORDON: self.cordon}

    def logs(self, request: binoculars_pb2.LogRequest, caller: Caller) -> binoculars_pb2.LogResponse:
        if not request.HasField("log_options"):
            raise ApiError(
                grpc.StatusCode.INTERNAL,
                "Internal server error caused by runtime error: invalid memory address or nil pointer dereference",
            )
        container = self._container(request)
        options = request.log_options
        tail = options.tailLines if options.HasField("tailLines") else None
        page = container.log.page(_since(request.since_time, options), tail, MAX_PAGE)
        return binoculars_pb2.LogResponse(
            log=[binoculars_pb2.LogLine(timestamp=rfc3339(stamp), line=line) for stamp, line in page]
        )

    def _container(self, request: binoculars_pb2.LogRequest) -> RunningContainer | SimulatedContainer:
        pod = self._access.engine.pods.get(request.job_id)
        namespace = request.pod_namespace or "default"
        if pod is None or request.pod_number != 0 or pod.job.spec.namespace != namespace:
            raise ApiError(grpc.StatusCode.NOT_FOUND, GONE)
        name = request.log_options.container or _only_container(pod)
        where = f'container "{name}" in pod "{pod_name(pod.job.id)}"'
        container = next((one for one in pod.all_containers if one.name == name), None)
        if container is None:
            raise unknown(f"container {name} is not valid for pod {pod_name(pod.job.id)}")
        if request.log_options.previous:
            raise unknown(f"previous terminated {where} not found")
        if not container.started:
            reason = "PodInitializing" if pod.init_containers else "ContainerCreating"
            raise unknown(f"{where} is waiting to start: {reason}")
        return container

    def cordon(self, request: binoculars_pb2.CordonRequest, caller: Caller) -> empty_pb2.Empty:
        self._access.require(caller, "cordon_nodes", f"cordoning node {request.node_name}")
        raise unknown("the embedded Armada has one node, which cannot be cordoned; cordon the queue instead")


def _only_container(pod: Pod | SimulatedPod) -> str:
    if len(pod.containers) == 1:
        return pod.containers[0].name
    names = " ".join(one.name for one in pod.containers)
    inits = " ".join(one.name for one in pod.init_containers)
    more = f" or one of the init containers: [{inits}]" if inits else ""
    raise unknown(f"a container name must be specified for pod {pod_name(pod.job.id)}, choose one of: [{names}]{more}")


def _since(since_time: str, options: PodLogOptions) -> int:
    """Return from when on to show lines, in nanoseconds since 1970.

    Kubernetes takes whole seconds, so a fraction is cut off; a time that cannot be read is as none.
    """
    if (second := _whole_second(since_time)) is not None:
        return second * 1_000_000_000
    if options.HasField("sinceSeconds"):
        return clock.time_ns() - options.sinceSeconds * 1_000_000_000
    return 0


def _whole_second(text: str) -> int | None:
    """Return an RFC 3339 time as seconds since 1970, or None if the text is none."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    try:
        return int(datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).timestamp())
    except ValueError:
        return None
