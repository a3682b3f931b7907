"""The events of a job, one function a kind, each with the fields that Armada fills and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_armada.api import event_pb2
from airflow_armada.api.event_pb2 import EventMessage
from airflow_armada.api.resource_pb2 import Quantity
from airflow_armada.standalone.config import CLUSTER, NODE, POOL
from airflow_armada.standalone.ids import pod_name, timestamp
from airflow_armada.standalone.store.model import Job

INTERNAL = "internal"


@dataclass(frozen=True)
class Failure:
    """Why a job or a pod failed, as a ``failed`` event tells it.

    :param cause: a value of ``event_pb2.Cause``
    :param from_pod: whether a pod failed, which is when the event says which one
    :param names_pod: whether it is one of making the pod, which is when the event says its name and cluster
    :param preempted: whether it is a preemption, which is told otherwise
    """

    reason: str
    cause: int = event_pb2.Error
    category: str = ""
    subcategory: str = ""
    containers: Sequence[event_pb2.ContainerStatus] = field(default_factory=tuple)
    from_pod: bool = False
    names_pod: bool = False
    preempted: bool = False


def _ids(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "job_set_id": job.job_set_id, "queue": job.queue, "created": timestamp()}


def _stray_ids(job_id: str, job_set_id: str, queue: str) -> dict[str, Any]:
    return {"job_id": job_id, "job_set_id": job_set_id, "queue": queue, "created": timestamp()}


def _pod(job: Job) -> dict[str, Any]:
    return {
        "cluster_id": CLUSTER,
        "kubernetes_id": job.run.pod_id,
        "pod_number": 0,
        "pod_name": pod_name(job.id),
        "pod_namespace": job.spec.namespace,
    }


def submitted(job: Job) -> EventMessage:
    return EventMessage(submitted=event_pb2.JobSubmittedEvent(**_ids(job), job=job.spec))


def queued(job: Job) -> EventMessage:
    return EventMessage(queued=event_pb2.JobQueuedEvent(**_ids(job)))


def leased(job: Job) -> EventMessage:
    return EventMessage(leased=event_pb2.JobLeasedEvent(**_ids(job), cluster_id=CLUSTER, pool=POOL))


def lease_returned(job: Job, reason: str, run_attempted: bool, *, has_pod: bool = True) -> EventMessage:
    return EventMessage(
        lease_returned=event_pb2.JobLeaseReturnedEvent(
            **_ids(job),
            cluster_id=CLUSTER,
            reason=reason,
            kubernetes_id=job.run.pod_id if has_pod else "",
            run_attempted=run_attempted,
        )
    )


def lease_expired(job: Job) -> EventMessage:
    return EventMessage(lease_expired=event_pb2.JobLeaseExpiredEvent(**_ids(job)))


def pending(job: Job) -> EventMessage:
    return EventMessage(pending=event_pb2.JobPendingEvent(**_ids(job), **_pod(job), pool=POOL))


def running(job: Job) -> EventMessage:
    return EventMessage(running=event_pb2.JobRunningEvent(**_ids(job), **_pod(job), node_name=NODE, pool=POOL))


def succeeded(job: Job) -> EventMessage:
    return EventMessage(succeeded=event_pb2.JobSucceededEvent(**_ids(job)))


def failed(job: Job, failure: Failure, *, retryable: bool = False) -> EventMessage:
    pod = {**_pod(job), "node_name": NODE} if failure.from_pod else {}
    if failure.names_pod:
        pod = {name: value for name, value in _pod(job).items() if name != "kubernetes_id"}
    return EventMessage(
        failed=event_pb2.JobFailedEvent(
            **_ids(job),
            **pod,
            reason=failure.reason,
            cause=failure.cause,  # type: ignore[arg-type]
            failure_category=failure.category,
            failure_subcategory=failure.subcategory,
            container_statuses=failure.containers,
            retryable=retryable,
        )
    )


def preempting(job_id: str, job_set_id: str, queue: str, user: str, reason: str) -> EventMessage:
    ids = _stray_ids(job_id, job_set_id, queue)
    return EventMessage(preempting=event_pb2.JobPreemptingEvent(**ids, requestor=user, reason=reason))


def preempted(job: Job, reason: str, *, by_job: str = "", by_user: str = "") -> EventMessage:
    return EventMessage(
        preempted=event_pb2.JobPreemptedEvent(
            **_ids(job), run_id=job.run.id, reason=reason, preempting_job_id=by_job, requestor=by_user
        )
    )


def cancelling(job_id: str, job_set_id: str, queue: str, user: str) -> EventMessage:
    ids = _stray_ids(job_id, job_set_id, queue)
    return EventMessage(cancelling=event_pb2.JobCancellingEvent(**ids, requestor=user))


def cancelled(job: Job, user: str) -> EventMessage:
    return EventMessage(cancelled=event_pb2.JobCancelledEvent(**_ids(job), requestor=user))


def reprioritizing(job_id: str, job_set_id: str, queue: str, priority: int, user: str) -> EventMessage:
    ids = _stray_ids(job_id, job_set_id, queue)
    return EventMessage(reprioritizing=event_pb2.JobReprioritizingEvent(**ids, new_priority=priority, requestor=user))


def reprioritized(job: Job, user: str) -> EventMessage:
    return EventMessage(
        reprioritized=event_pb2.JobReprioritizedEvent(**_ids(job), new_priority=job.priority, requestor=user)
    )


def ingress_info(job: Job, addresses: Mapping[int, str]) -> EventMessage:
    return EventMessage(
        ingress_info=event_pb2.JobIngressInfoEvent(
            **_ids(job), **_pod(job), node_name=NODE, ingress_addresses=dict(addresses)
        )
    )


def utilisation(
    job: Job, maximum: Mapping[str, str], average: Mapping[str, str], cumulative: Mapping[str, str]
) -> EventMessage:
    return EventMessage(
        utilisation=event_pb2.JobUtilisationEvent(
            **_ids(job),
            **_pod(job),
            node_name=NODE,
            MaxResourcesForPeriod=_quantities(maximum),
            AvgResourcesForPeriod=_quantities(average),
            total_cumulative_usage=_quantities(cumulative),
        )
    )


def _quantities(texts: Mapping[str, str]) -> dict[str, Quantity]:
    return {name: Quantity(string=text) for name, text in texts.items()}
