"""Raw calls to an embedded Armada, and jobs to send it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from airflow_armada.api import binoculars_pb2, core_v1_pb2, event_pb2, job_pb2, methods, submit_pb2
from airflow_armada.api.loopback_token import read_token
from airflow_armada.api.methods import Method
from airflow_armada.api.resource_pb2 import Quantity

SECONDS = 20.0
QUEUE, JOB_SET = "physics", "nightly"
ENDS = ("succeeded", "failed", "cancelled")


def resources(cpu: str = "10m", memory: str = "64Mi") -> core_v1_pb2.ResourceRequirements:
    """Return equal requests and limits."""
    amounts = {"cpu": Quantity(string=cpu), "memory": Quantity(string=memory)}
    return core_v1_pb2.ResourceRequirements(requests=amounts, limits=amounts)


def container(
    *command: str, name: str = "main", cpu: str = "10m", memory: str = "64Mi", **fields: Any
) -> core_v1_pb2.Container:
    """Return a container that runs a command."""
    return core_v1_pb2.Container(
        name=name, image="busybox", command=command, resources=resources(cpu, memory), **fields
    )


def shell(script: str, **fields: Any) -> core_v1_pb2.Container:
    """Return a container that runs a shell script."""
    return container("sh", "-c", script, **fields)


def job(*containers: core_v1_pb2.Container, pod: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Return a job to submit.

    :param pod: more fields of the pod spec
    :param fields: more fields of the item
    """
    spec = core_v1_pb2.PodSpec(containers=containers, **(pod or {}))
    return submit_pb2.JobSubmitRequestItem(**{"namespace": "default", "pod_spec": spec, **fields})


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds; fail when it takes too long."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(0.01)


def mounts_work() -> bool:
    """Whether this user may have mounts of its own."""
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    try:
        return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Armada:
    """Calls to a server, with raw messages.

    :param metadata: sent with every call; by default the token that the server has left for this user
    """

    def __init__(self, target: str, metadata: Sequence[tuple[str, str]] | None = None) -> None:
        # A pool of its own: a shared one would make a new channel wait out the back-off of an old one.
        self.channel = grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
        token = read_token(int(target.rpartition(":")[2]))
        self.metadata = [("authorization", f"Bearer {token}")] if metadata is None and token else metadata

    def call(self, method: Method[Any, Any], deadline: float = SECONDS, /, **fields: Any) -> Any:
        """Make a call with a request that has these fields."""
        request = method.request(**fields)
        return method.bind(self.channel)(request, timeout=deadline, metadata=self.metadata)

    def refused(self, method: Method[Any, Any], **fields: Any) -> tuple[grpc.StatusCode, str]:
        """Make a call that is to fail, and return its code and text."""
        try:
            answer = self.call(method, **fields)
            if method.streaming:
                list(answer)
        except grpc.RpcError as error:
            return error.code(), error.details()
        raise AssertionError(f"{method.name} was answered with OK")

    def submit(self, *jobs: Any, queue: str = QUEUE, job_set: str = JOB_SET) -> list[str]:
        """Submit jobs and return their ids."""
        answer = self.call(methods.Submit.SUBMIT_JOBS, queue=queue, job_set_id=job_set, job_request_items=jobs)
        return [item.job_id for item in answer.job_response_items]

    def watch(self, from_id: str = "", *, job_set: str = JOB_SET, watch: bool = True, **fields: Any) -> Any:
        """Open the event stream of a job set."""
        return self.call(
            methods.Event.GET_JOB_SET_EVENTS, queue=QUEUE, id=job_set, watch=watch, from_message_id=from_id, **fields
        )

    def replay(self, job_set: str = JOB_SET) -> list[event_pb2.EventStreamMessage]:
        """Return every event of a job set up to now."""
        return list(self.watch(job_set=job_set, watch=False))

    def events_until(self, job_id: str, *kinds: str, job_set: str = JOB_SET) -> list[Any]:
        """Return a job's events up to the first of some kinds, by default up to its end."""
        events = []
        stream = self.watch(job_set=job_set)
        for kind, event in events_of(stream, job_id):
            events.append(event)
            if kind in (kinds or ENDS) and not (kind == "failed" and event.retryable and not kinds):
                stream.cancel()
                return events
        raise AssertionError("the stream ended before the job")

    def kinds_until(self, job_id: str, *kinds: str, job_set: str = JOB_SET) -> list[str]:
        """Return the kinds of a job's events up to the first of some kinds, by default up to its end."""
        return [kind_of(event) for event in self.events_until(job_id, *kinds, job_set=job_set)]

    def end_of(self, job_id: str) -> Any:
        """Return the event that ends a job."""
        return self.events_until(job_id)[-1]

    def state(self, job_id: str) -> str:
        """Return a job's state by the query API."""
        answer = self.call(methods.Jobs.GET_JOB_STATUS, job_ids=[job_id])
        return submit_pb2.JobState.Name(answer.job_states[job_id])

    def details(self, job_id: str) -> job_pb2.JobDetails:
        """Return a job's details with spec and runs."""
        answer = self.call(methods.Jobs.GET_JOB_DETAILS, job_ids=[job_id], expand_job_spec=True, expand_job_run=True)
        return answer.job_details[job_id]

    def log(self, job_id: str, since: str = "", namespace: str = "default", **options: Any) -> list[Any]:
        """Return a page of a job's log."""
        return list(self.logs(job_id, since, namespace, **options).log)

    def logs(
        self, job_id: str, since: str = "", namespace: str = "default", **options: Any
    ) -> binoculars_pb2.LogResponse:
        """Ask for a page of a job's log."""
        answer: binoculars_pb2.LogResponse = self.call(
            methods.Binoculars.LOGS,
            job_id=job_id,
            since_time=since,
            pod_namespace=namespace,
            log_options=core_v1_pb2.PodLogOptions(**options),
        )
        return answer

    def log_code(self, job_id: str, **options: Any) -> grpc.StatusCode:
        """Return the code that a call for a log ends with."""
        try:
            self.log(job_id, **options)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def text(self, job_id: str, **options: Any) -> str:
        """Return a job's log as one text."""
        return "\n".join(line.line.decode() for line in self.log(job_id, **options))


def kind_of(event: Any) -> str:
    """Return the name that an event's message has in the stream."""
    name = type(event).__name__.removeprefix("Job").removesuffix("Event")
    return {"LeaseReturned": "lease_returned", "LeaseExpired": "lease_expired", "IngressInfo": "ingress_info"}.get(
        name, name.lower()
    )


def events_of(stream: Any, job_id: str) -> Iterator[tuple[str, Any]]:
    """Return kind and event of each message that is about a job."""
    for message in stream:
        kind = message.message.WhichOneof("events")
        event = getattr(message.message, kind)
        if event.job_id == job_id:
            yield kind, event
