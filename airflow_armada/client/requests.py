"""Building the messages that calls take; no call is made here, so both clients share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_armada.api import core_v1_pb2 as core_v1
from airflow_armada.api import event_pb2, submit_pb2
from airflow_armada.api.annotations import EXTERNAL_JOB_URI
from airflow_armada.client.calls.messages import adopt, adopt_all
from airflow_armada.client.event import Event
from airflow_armada.client.permissions import Permissions


class RequestBuilders:
    """The methods of both clients that only make or take apart messages."""

    @staticmethod
    def unmarshal_event_response(event: event_pb2.EventStreamMessage) -> Event:
        """Return a message of an event stream with its kind.

        :param event: the message
        """
        return Event(event)

    @staticmethod
    def unwatch_events(event_stream: Any) -> None:
        """End an event stream: whoever iterates over it, in whatever thread, sees the iteration end.

        :param event_stream: what ``get_job_events_stream`` returned
        """
        event_stream.cancel()

    @staticmethod
    def create_queue_request(
        name: str,
        priority_factor: float | None,
        user_owners: list[str] | None = None,
        group_owners: list[str] | None = None,
        resource_limits: dict[str, float] | None = None,
        permissions: list[Permissions] | None = None,
        *,
        cordoned: bool = False,
        labels: Mapping[str, str] | None = None,
        retry_policies: Sequence[str] | None = None,
        resource_limits_by_priority_class_name: Mapping[str, submit_pb2.PriorityClassResourceLimits] | None = None,
    ) -> submit_pb2.Queue:
        """Make a queue message, for ``create_queue`` and ``update_queue``.

        :param name: its name
        :param priority_factor: at least 1; a higher one means a smaller share; None means 1
        :param user_owners: users who may do everything with it; the caller when there are none
        :param group_owners: groups who may do everything with it
        :param resource_limits: ignored by today's servers
        :param permissions: who may do what with it
        :param cordoned: take jobs but do not schedule them
        :param labels: labels of the queue
        :param retry_policies: names of retry policies; the server follows the first
        :param resource_limits_by_priority_class_name: limits for each priority class
        """
        return submit_pb2.Queue(
            name=name,
            priority_factor=1.0 if priority_factor is None else priority_factor,
            user_owners=user_owners,
            group_owners=group_owners,
            resource_limits=resource_limits,
            permissions=[adopt(one.to_grpc(), submit_pb2.Queue.Permissions) for one in permissions or ()],
            cordoned=cordoned,
            labels=labels,
            retry_policies=retry_policies,
            resource_limits_by_priority_class_name=resource_limits_by_priority_class_name,
        )

    @staticmethod
    def create_job_request_item(
        priority: float = 1.0,
        pod_spec: core_v1.PodSpec | None = None,
        pod_specs: list[core_v1.PodSpec] | None = None,
        namespace: str | None = None,
        client_id: str | None = None,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        required_node_labels: dict[str, str] | None = None,
        ingress: list[submit_pb2.IngressConfig] | None = None,
        services: list[submit_pb2.ServiceConfig] | None = None,
        *,
        external_job_uri: str = "",
        scheduler: str = "",
    ) -> submit_pb2.JobSubmitRequestItem:
        """Make one item for ``submit_jobs``.

        :param priority: a lower one is scheduled earlier within the queue
        :param pod_spec: the job's pod
        :param pod_specs: the same as a list of one; the server takes no more
        :param namespace: Kubernetes namespace; None means ``default``, because the server insists on one
        :param client_id: at most 100 bytes; jobs with the same one in a queue are taken for the same job, which is what
            makes it safe to submit again after a lost answer
        :param labels: labels of the pod
        :param annotations: annotations of the pod
        :param required_node_labels: ignored by today's servers; use a node selector in the pod
        :param ingress: ingresses to make for its ports
        :param services: services to make for its ports
        :param external_job_uri: a name by which the job can be found again
        :param scheduler: stored, not acted upon by today's servers
        :raises ValueError: when both ``pod_spec`` and ``pod_specs`` are given
        """
        if pod_spec and pod_specs:
            raise ValueError("only one of pod_spec and pod_specs can be given")
        uri = {EXTERNAL_JOB_URI: external_job_uri} if external_job_uri else {}
        return submit_pb2.JobSubmitRequestItem(
            priority=priority,
            pod_spec=adopt(pod_spec, core_v1.PodSpec) if pod_spec else None,
            pod_specs=adopt_all(pod_specs, core_v1.PodSpec),
            namespace="default" if namespace is None else namespace,
            client_id=client_id or "",
            labels=labels,
            annotations={**uri, **(annotations or {})},
            required_node_labels=required_node_labels,
            ingress=adopt_all(ingress, submit_pb2.IngressConfig),
            services=adopt_all(services, submit_pb2.ServiceConfig),
            external_job_uri=external_job_uri,
            scheduler=scheduler,
        )
