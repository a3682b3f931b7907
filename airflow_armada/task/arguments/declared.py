"""The arguments that say what to run, by the level of the job that they belong to: container, pod, job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator


class ContainerArguments(BaseOperator):
    """
    What the main container runs.

    :param image: container image.
    :param cmds: entry point of the container.
    :param arguments: arguments of the entry point.
    :param env_vars: environment of the container.
    :param container_resources: ``requests`` and ``limits``, or a flat mapping that means both.
    :param env_from: whole config maps and secrets as environment, as Kubernetes writes it.
    :param secrets: secrets as environment or files; see ``docs/jobs.md``.
    :param configmaps: config maps as environment or files; see ``docs/jobs.md``.
    :param ports: ports of the container.
    :param volume_mounts: where the container sees volumes of the pod.
    :param working_dir: working folder of the container.
    :param image_pull_policy: ``Always``, ``IfNotPresent`` or ``Never``.
    :param container_security_context: security context of the container.
    :param termination_message_policy: ``File`` or ``FallbackToLogsOnError``.
    :param result_file: file that the container prints as its result when its command, which must be given as ``cmds``,
        has ended well; needs ``get_result=True`` and a shell in the image.
    :param container_name: container that these arguments mean: the one called ``base`` by default, else the first.
    """

    template_fields: Sequence[str] = (
        "image",
        "cmds",
        "arguments",
        "env_vars",
        "container_resources",
        "env_from",
        "secrets",
        "configmaps",
        "ports",
        "volume_mounts",
        "working_dir",
        "image_pull_policy",
        "container_security_context",
        "termination_message_policy",
        "result_file",
        "container_name",
    )

    def __init__(
        self,
        *,
        image: str | None = None,
        cmds: Sequence[str] | None = None,
        arguments: Sequence[str] | None = None,
        env_vars: Mapping[str, Any] | Sequence[Any] | None = None,
        container_resources: Any = None,
        env_from: Sequence[Any] | None = None,
        secrets: Sequence[Any] | None = None,
        configmaps: Sequence[Any] | None = None,
        ports: Sequence[Any] | None = None,
        volume_mounts: Sequence[Any] | None = None,
        working_dir: str | None = None,
        image_pull_policy: str | None = None,
        container_security_context: Any = None,
        termination_message_policy: str | None = None,
        result_file: str | None = None,
        container_name: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = image
        self.cmds = cmds
        self.arguments = arguments
        self.env_vars = env_vars
        self.container_resources = container_resources
        self.env_from = env_from
        self.secrets = secrets
        self.configmaps = configmaps
        self.ports = ports
        self.volume_mounts = volume_mounts
        self.working_dir = working_dir
        self.image_pull_policy = image_pull_policy
        self.container_security_context = container_security_context
        self.termination_message_policy = termination_message_policy
        self.result_file = result_file
        self.container_name = container_name


class PodArguments(ContainerArguments):
    """
    What the pod needs.

    :param volumes: volumes of the pod.
    :param node_selector: labels that the node must have.
    :param affinity: affinity; Armada refuses preferred node affinity.
    :param tolerations: taints that the job tolerates.
    :param security_context: security context of the pod.
    :param service_account_name: service account of the pod.
    :param image_pull_secrets: names of secrets for pulling images.
    :param hostname: name that the pod has for itself.
    :param subdomain: subdomain of that name.
    :param host_aliases: further entries of the pod's ``/etc/hosts``.
    :param hostnetwork: use the node's own network.
    :param dnspolicy: ``ClusterFirst``, ``Default`` and so on, as Kubernetes writes it.
    :param dns_config: name servers, searches and options of the pod.
    :param runtime_class_name: runtime class of the pod.
    :param automount_service_account_token: whether Kubernetes puts a token of the service account into the containers.
    :param init_containers: containers that run first.
    :param containers: further containers beside the main one.
    :param termination_grace_period_seconds: seconds between the polite and the final signal, 1 to 300.
    :param active_deadline_seconds: seconds after which Kubernetes ends the job; the server's default is 72 h.
    :param priority_class_name: Armada priority class, which decides whether the job can be preempted.
    """

    template_fields: Sequence[str] = (
        *ContainerArguments.template_fields,
        "volumes",
        "node_selector",
        "affinity",
        "tolerations",
        "security_context",
        "service_account_name",
        "image_pull_secrets",
        "hostname",
        "subdomain",
        "host_aliases",
        "hostnetwork",
        "dnspolicy",
        "dns_config",
        "runtime_class_name",
        "automount_service_account_token",
        "init_containers",
        "containers",
        "termination_grace_period_seconds",
        "active_deadline_seconds",
        "priority_class_name",
    )

    def __init__(
        self,
        *,
        volumes: Sequence[Any] | None = None,
        node_selector: Mapping[str, str] | None = None,
        affinity: Any = None,
        tolerations: Sequence[Any] | None = None,
        security_context: Any = None,
        service_account_name: str | None = None,
        image_pull_secrets: Sequence[Any] | None = None,
        hostname: str | None = None,
        subdomain: str | None = None,
        host_aliases: Sequence[Any] | None = None,
        hostnetwork: bool | None = None,
        dnspolicy: str | None = None,
        dns_config: Any = None,
        runtime_class_name: str | None = None,
        automount_service_account_token: bool | None = None,
        init_containers: Sequence[Any] | None = None,
        containers: Sequence[Any] | None = None,
        termination_grace_period_seconds: int | str | None = None,
        active_deadline_seconds: int | str | None = None,
        priority_class_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volumes = volumes
        self.node_selector = node_selector
        self.affinity = affinity
        self.tolerations = tolerations
        self.security_context = security_context
        self.service_account_name = service_account_name
        self.image_pull_secrets = image_pull_secrets
        self.hostname = hostname
        self.subdomain = subdomain
        self.host_aliases = host_aliases
        self.hostnetwork = hostnetwork
        self.dnspolicy = dnspolicy
        self.dns_config = dns_config
        self.runtime_class_name = runtime_class_name
        self.automount_service_account_token = automount_service_account_token
        self.init_containers = init_containers
        self.containers = containers
        self.termination_grace_period_seconds = termination_grace_period_seconds
        self.active_deadline_seconds = active_deadline_seconds
        self.priority_class_name = priority_class_name


class JobArguments(PodArguments):
    """
    What Armada adds to the pod, and the bases that all these arguments are laid over.

    :param job_request: base: a whole job request, as ``armadactl submit`` reads it; a dictionary, a message, YAML text,
        the name of a ``.yaml`` or ``.json`` template file, or a function that gets the context and returns one of them.
    :param pod_spec: base: a whole pod specification, in the same forms, or a Kubernetes model.
    :param namespace: Kubernetes namespace of the pod; "default" if nothing says otherwise.
    :param priority: priority within the queue; the lower number starts earlier.
    :param labels: labels of the pod.
    :param annotations: annotations of the job.
    :param services: ports to expose within the cluster.
    :param ingress: ports to expose over HTTP.
    :param gang_id: gang of jobs that start together; unique per gang, never used again.
    :param gang_cardinality: number of jobs in the gang.
    :param gang_node_uniformity_label: node label on whose value the whole gang must agree.
    :param fail_fast: do not let Armada itself run the job again after a failed run.
    """

    template_fields: Sequence[str] = (
        *PodArguments.template_fields,
        "job_request",
        "pod_spec",
        "namespace",
        "priority",
        "labels",
        "annotations",
        "services",
        "ingress",
        "gang_id",
        "gang_cardinality",
        "gang_node_uniformity_label",
        "fail_fast",
    )

    def __init__(
        self,
        *,
        job_request: Any | Callable[..., Any] = None,
        pod_spec: Any | Callable[..., Any] = None,
        namespace: str | None = None,
        priority: float | str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        services: Sequence[Any] | None = None,
        ingress: Sequence[Any] | None = None,
        gang_id: str | None = None,
        gang_cardinality: int | str | None = None,
        gang_node_uniformity_label: str | None = None,
        fail_fast: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_request = job_request
        self.pod_spec = pod_spec
        self.namespace = namespace
        self.priority = priority
        self.labels = labels
        self.annotations = annotations
        self.services = services
        self.ingress = ingress
        self.gang_id = gang_id
        self.gang_cardinality = gang_cardinality
        self.gang_node_uniformity_label = gang_node_uniformity_label
        self.fail_fast = fail_fast


JOB_ARGUMENTS = tuple(JobArguments.template_fields)
"""Arguments of the operator that are those of :class:`~airflow_armada.jobs.job_spec.JobSpec`."""
