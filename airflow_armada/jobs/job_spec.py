"""What an author says about a job, as plain data: a base in any form, and arguments laid over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_armada.client.job_defaults import NO_DEFAULTS, JobDefaults


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One job. Every argument is optional; ``None`` or empty leaves what the base says.

    Structured values may be dicts of Kubernetes JSON, ``kubernetes.client`` models or messages.

    :param job_request: base: a job in any form (see :mod:`airflow_armada.jobs.job_forms`)
    :param pod_spec: base: a pod in any form; replaces the pod of ``job_request``
    :param container_name: the container that the container arguments mean; default: the one called ``base``, else the
        first one, else a new one called ``base``
    :param image: container image
    :param cmds: entry point, as a list
    :param arguments: its arguments, as a list
    :param env_vars: environment: a mapping of name to text (or to a ``valueFrom`` source), or a list of ``EnvVar``
    :param env_from: list of ``EnvFromSource``
    :param secrets: secrets as environment or files: names, mappings or ``airflow.providers.cncf.kubernetes`` secrets
    :param configmaps: config maps as environment or files, as ``secrets``
    :param container_resources: ``requests`` and ``limits``, or a flat mapping that means both
    :param ports: container ports: numbers or ``ContainerPort``
    :param volume_mounts: list of ``VolumeMount``
    :param working_dir: working folder
    :param image_pull_policy: ``Always``, ``IfNotPresent`` or ``Never``
    :param container_security_context: ``SecurityContext`` of the container
    :param termination_message_policy: ``File`` or ``FallbackToLogsOnError``
    :param volumes: list of ``Volume``
    :param node_selector: node labels that the job needs
    :param affinity: ``Affinity``
    :param tolerations: list of ``Toleration``, added to the base's
    :param security_context: ``PodSecurityContext``
    :param service_account_name: service account of the pod
    :param image_pull_secrets: names, or list of ``LocalObjectReference``
    :param hostname: name that the pod has for itself
    :param subdomain: subdomain of that name
    :param host_aliases: further entries of the pod's ``/etc/hosts``
    :param hostnetwork: use the node's own network
    :param dnspolicy: ``ClusterFirst``, ``Default`` and so on, as Kubernetes writes it
    :param dns_config: name servers, searches and options of the pod
    :param runtime_class_name: runtime class of the pod
    :param automount_service_account_token: whether Kubernetes puts a token of the service account into the containers
    :param init_containers: containers that run first
    :param containers: further containers beside the main one
    :param termination_grace_period_seconds: seconds between the polite and the final signal, 1 to 300
    :param active_deadline_seconds: seconds after which Kubernetes ends the pod
    :param priority_class_name: Armada priority class
    :param namespace: Kubernetes namespace; ``default`` when nothing says otherwise
    :param priority: priority within the queue; the lower number is scheduled earlier
    :param labels: labels of the pod
    :param annotations: annotations of the pod
    :param client_id: deduplication key, at most 100 bytes
    :param external_job_uri: identity of the job in the system that submits it
    :param scheduler: name of the scheduler to use
    :param services: ports to expose: numbers or ``ServiceConfig``
    :param ingress: ports to expose over HTTP: numbers or ``IngressConfig``
    :param gang_id: gang that this job belongs to; unique per gang, never reused
    :param gang_cardinality: number of jobs in the gang
    :param gang_node_uniformity_label: node label on which all members must agree
    :param fail_fast: True: the first failure of a run is final, Armada itself does not run the job again
    :param identity_labels: labels that win over all others
    :param identity_annotations: annotations that win over all others
    :param result_file: a file that the main container prints as its result when it has ended well
    :param defaults: what counts where neither base nor arguments say anything
    :param context_env: environment for every container, where it is not set already
    """

    job_request: Any = None
    pod_spec: Any = None
    container_name: str = ""
    image: str | None = None
    cmds: Sequence[str] | None = None
    arguments: Sequence[str] | None = None
    env_vars: Mapping[str, Any] | Sequence[Any] | None = None
    env_from: Sequence[Any] | None = None
    secrets: Sequence[Any] | None = None
    configmaps: Sequence[Any] | None = None
    container_resources: Any = None
    ports: Sequence[Any] | None = None
    volume_mounts: Sequence[Any] | None = None
    working_dir: str | None = None
    image_pull_policy: str | None = None
    container_security_context: Any = None
    termination_message_policy: str | None = None
    volumes: Sequence[Any] | None = None
    node_selector: Mapping[str, str] | None = None
    affinity: Any = None
    tolerations: Sequence[Any] | None = None
    security_context: Any = None
    service_account_name: str | None = None
    image_pull_secrets: Sequence[Any] | None = None
    hostname: str | None = None
    subdomain: str | None = None
    host_aliases: Sequence[Any] | None = None
    hostnetwork: bool | str | None = None
    dnspolicy: str | None = None
    dns_config: Any = None
    runtime_class_name: str | None = None
    automount_service_account_token: bool | str | None = None
    init_containers: Sequence[Any] | None = None
    containers: Sequence[Any] | None = None
    termination_grace_period_seconds: int | str | None = None
    active_deadline_seconds: int | str | None = None
    priority_class_name: str | None = None
    namespace: str | None = None
    priority: float | str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    client_id: str | None = None
    external_job_uri: str | None = None
    scheduler: str | None = None
    services: Sequence[Any] | None = None
    ingress: Sequence[Any] | None = None
    gang_id: str | None = None
    gang_cardinality: int | str | None = None
    gang_node_uniformity_label: str | None = None
    fail_fast: bool | None = None
    identity_labels: Mapping[str, str] | None = None
    identity_annotations: Mapping[str, str] | None = None
    result_file: str | None = None
    defaults: JobDefaults = NO_DEFAULTS
    context_env: Mapping[str, str] | None = None
