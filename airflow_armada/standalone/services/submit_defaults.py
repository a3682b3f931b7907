"""What the server changes in a job that it accepts: defaults, and the job's id where it is asked for.

Source: armada's ``internal/server/submit/conversion``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from fractions import Fraction

from airflow_armada.api import submit_pb2
from airflow_armada.api.annotations import EXTERNAL_JOB_URI, FAIL_FAST, GANG_UNIFORMITY_LABEL
from airflow_armada.api.core_v1_pb2 import Container, PodSpec, Toleration
from airflow_armada.standalone.config import DEFAULT_PRIORITY_CLASS, GPU_RESOURCES
from airflow_armada.standalone.ids import timestamp
from airflow_armada.standalone.resource_amounts import amount_of, canonical, pod_requests
from airflow_armada.standalone.store import gangs
from airflow_armada.standalone.store.gangs import Gang
from airflow_armada.standalone.store.model import Job

DEFAULT_RESOURCES = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "8Gi"}
DEFAULT_DEADLINE = 72 * 3600
DEFAULT_GPU_DEADLINE = 336 * 3600
DEFAULT_GRACE = 1
DEFAULT_UNIFORMITY_LABEL = "armadaproject.io/clusterName"
TOLERATED_CLASSES = ("armada-default", "armada-preemptible")
MAX_PRIORITY = 2**32 - 1


def accept(
    item: submit_pb2.JobSubmitRequestItem, queue: str, job_set_id: str, owner: str, job_id: str, serial: int
) -> Job:
    """Return the job that a validated item becomes.

    :param serial: the job's place among all that were ever accepted
    """
    spec = _spec(item, queue, job_set_id, owner, job_id)
    gang = gangs.gang_of(spec.annotations)
    _fill_annotations(spec, gang)
    _fill_pod(spec.pod_spec)
    requests = pod_requests(spec.pod_spec)
    _fill_requirements(spec, requests)
    return Job(
        spec=spec,
        requests=requests,
        gang=gang,
        external_uri=(item.external_job_uri or item.annotations.get(EXTERNAL_JOB_URI, ""))[:1024],
        priority=int(spec.priority),
        serial=serial,
    )


def _spec(
    item: submit_pb2.JobSubmitRequestItem, queue: str, job_set_id: str, owner: str, job_id: str
) -> submit_pb2.Job:
    pod_spec = item.pod_specs[0] if item.pod_specs else item.pod_spec
    return submit_pb2.Job(
        id=job_id,
        client_id=item.client_id,
        queue=queue,
        job_set_id=job_set_id,
        namespace=item.namespace,
        labels=item.labels,
        annotations=item.annotations,
        owner=owner,
        priority=clamp_priority(item.priority),
        pod_spec=pod_spec,
        created=timestamp(),
        ingress=item.ingress,
        services=item.services,
        scheduler=item.scheduler,
    )


def clamp_priority(priority: float) -> int:
    """Return a priority as Armada keeps it: a whole number of 32 bits, halves rounded up."""
    if math.isnan(priority):
        return 0
    return math.floor(min(max(priority, 0.0), float(MAX_PRIORITY)) + 0.5)


def _fill_annotations(spec: submit_pb2.Job, gang: Gang | None) -> None:
    for values in (spec.annotations, spec.labels):
        _insert_job_id(values, spec.id)
    if gang is not None:
        for name, default in ((GANG_UNIFORMITY_LABEL, DEFAULT_UNIFORMITY_LABEL), (FAIL_FAST, "true")):
            if name not in spec.annotations:
                spec.annotations[name] = default


def _fill_requirements(spec: submit_pb2.Job, requests: Mapping[str, Fraction]) -> None:
    """Say what the scheduler counts; what a single container asks for stays as it is written."""
    written = spec.pod_spec.containers[0].resources.requests if spec.pod_spec.containers else {}
    needed = spec.scheduling_resource_requirements
    for name, amount in requests.items():
        own = name in written and amount_of(written[name]) == amount
        needed.requests[name].string = needed.limits[name].string = written[name].string if own else canonical(amount)


def _insert_job_id(values: MutableMapping[str, str], job_id: str) -> None:
    for name, value in list(values.items()):
        if "{JobId}" in value:
            parts = [part.replace("{JobId}", job_id) for part in value.split("{{JobId}}")]
            values[name] = "JobId".join(parts)


def _fill_pod(spec: PodSpec) -> None:
    containers = [*spec.containers, *spec.initContainers]
    if not spec.HasField("activeDeadlineSeconds"):
        spec.activeDeadlineSeconds = DEFAULT_GPU_DEADLINE if any(map(_wants_gpu, spec.containers)) else DEFAULT_DEADLINE
    spec.priorityClassName = spec.priorityClassName or DEFAULT_PRIORITY_CLASS
    for container in containers:
        _fill_resources(container)
    _fill_tolerations(spec)
    spec.terminationGracePeriodSeconds = spec.terminationGracePeriodSeconds or DEFAULT_GRACE


def _wants_gpu(container: Container) -> bool:
    requests = container.resources.requests
    return any(name in requests and amount_of(requests[name]) > 0 for name in GPU_RESOURCES)


def _fill_resources(container: Container) -> None:
    requests, limits = container.resources.requests, container.resources.limits
    for name, default in DEFAULT_RESOURCES.items():
        if name not in requests and name not in limits:
            requests[name].string = limits[name].string = default


def _fill_tolerations(spec: PodSpec) -> None:
    keys = ["armadaproject.io/armada"]
    if spec.priorityClassName in TOLERATED_CLASSES:
        keys.append(f"armadaproject.io/pc-{spec.priorityClassName}")
    if any(map(_wants_gpu, spec.containers)):
        keys.append("armadaproject.io/gpu")
    for key in keys:
        spec.tolerations.append(Toleration(key=key, operator="Equal", value="true", effect="NoSchedule"))
