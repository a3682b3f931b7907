"""From what the author says to the request item that goes to the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.api.annotations import (
    EXTERNAL_JOB_URI,
    FAIL_FAST,
    GANG_CARDINALITY,
    GANG_ID,
    GANG_UNIFORMITY_LABEL,
)
from airflow_armada.client.job_defaults import JobDefaults
from airflow_armada.jobs import overlay
from airflow_armada.jobs.job_forms import JobFile, read_job
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.jobs.kubernetes.scalars import type_name
from airflow_armada.jobs.kubernetes.schema import find_field
from airflow_armada.jobs.mounts import CONFIG_MAP, SECRET, Parts, expand
from airflow_armada.jobs.overlay import MERGE, Laid, lay, lay_value
from airflow_armada.jobs.problems import InvalidJob, Problem, raise_if_any
from airflow_armada.jobs.resources import complete_resources
from airflow_armada.jobs.result_file import print_file

DEFAULT_CONTAINER = "base"
DEFAULT_NAMESPACE = "default"

_CONTAINER = (
    Laid("image", "image"),
    Laid("cmds", "command", coerce=overlay.as_texts),
    Laid("arguments", "args", coerce=overlay.as_texts),
    Laid("env_from", "envFrom", MERGE),
    Laid("ports", "ports", "containerPort", overlay.container_ports),
    Laid("working_dir", "workingDir"),
    Laid("image_pull_policy", "imagePullPolicy"),
    Laid("container_security_context", "securityContext"),
    Laid("termination_message_policy", "terminationMessagePolicy"),
)
_RESOURCES = Laid("container_resources", "resources", MERGE, overlay.resources)
_ENV = Laid("env_vars", "env", "name", overlay.environment)
_MOUNTS = Laid("volume_mounts", "volumeMounts", "mountPath")
_VOLUMES = Laid("volumes", "volumes", "name")
_POD = (
    _VOLUMES,
    Laid("node_selector", "nodeSelector", coerce=overlay.as_text_values),
    Laid("affinity", "affinity"),
    Laid("tolerations", "tolerations", MERGE),
    Laid("security_context", "securityContext"),
    Laid("service_account_name", "serviceAccountName"),
    Laid("image_pull_secrets", "imagePullSecrets", "name", overlay.named),
    Laid("hostname", "hostname"),
    Laid("subdomain", "subdomain"),
    Laid("host_aliases", "hostAliases", "ip"),
    Laid("hostnetwork", "hostNetwork", coerce=overlay.as_switch),
    Laid("dnspolicy", "dnsPolicy"),
    Laid("dns_config", "dnsConfig"),
    Laid("runtime_class_name", "runtimeClassName"),
    Laid("automount_service_account_token", "automountServiceAccountToken", coerce=overlay.as_switch),
    Laid("init_containers", "initContainers", "name"),
    Laid("containers", "containers", "name"),
    Laid("termination_grace_period_seconds", "terminationGracePeriodSeconds", coerce=overlay.as_integer),
    Laid("active_deadline_seconds", "activeDeadlineSeconds", coerce=overlay.as_integer),
    Laid("priority_class_name", "priorityClassName"),
)
_JOB = (
    Laid("namespace", "namespace"),
    Laid("priority", "priority", coerce=overlay.as_number),
    Laid("labels", "labels", coerce=overlay.as_text_values),
    Laid("annotations", "annotations", coerce=overlay.as_text_values),
    Laid("client_id", "clientId"),
    Laid("external_job_uri", "externalJobUri"),
    Laid("scheduler", "scheduler"),
    Laid("services", "services", coerce=overlay.exposed_ports),
    Laid("ingress", "ingress", coerce=overlay.exposed_ports),
)
LAID_ARGUMENTS = {
    laid.argument: find_field(message.DESCRIPTOR, laid.field)
    for message, table in (
        (core_v1_pb2.Container, (*_CONTAINER, _RESOURCES, _ENV, _MOUNTS)),
        (core_v1_pb2.PodSpec, _POD),
        (submit_pb2.JobSubmitRequestItem, _JOB),
    )
    for laid in table
}
"""The field that each argument is laid over."""
_GANG = (
    ("gang_id", GANG_ID),
    ("gang_cardinality", GANG_CARDINALITY),
    ("gang_node_uniformity_label", GANG_UNIFORMITY_LABEL),
)


@dataclass
class JobRequest:
    """A job ready to be checked and submitted.

    :param item: the request item
    :param queue: the queue that the base names, or empty
    :param job_set_id: the job set that the base names, or empty
    :param notes: what was filled in or left out, one sentence each, for the task log
    :param container: name of the main container
    """

    item: submit_pb2.JobSubmitRequestItem
    queue: str
    job_set_id: str
    notes: list[str]
    container: str


def build(**arguments: Any) -> submit_pb2.JobSubmitRequestItem:
    """The request item for a job.

    :param arguments: those of :class:`~airflow_armada.jobs.job_spec.JobSpec`
    :return: the item; check it with :func:`airflow_armada.jobs.checks.check.check`
    :raises InvalidJob: naming everything that cannot be read
    """
    return build_request(JobSpec(**arguments)).item


def build_request(spec: JobSpec) -> JobRequest:
    """The request for a job, with what was filled in.

    :param spec: what the author says
    :return: the request
    :raises InvalidJob: naming everything that cannot be read
    """
    problems: list[Problem] = []
    base = _read_bases(spec, problems)
    item = base.items[0]
    pod = main_pod_spec(item)
    container = main_container(pod, _container_name(pod, spec, problems))
    _lay_container(container, pod, spec, problems)
    lay(pod, _POD, spec, problems)
    lay(item, _JOB, spec, problems)
    _lay_annotations(item, spec, problems)
    if spec.result_file:
        problems += print_file(pod, container, spec.result_file)
    raise_if_any(problems)
    _lay_defaults(item, pod, container, spec.defaults)
    _lay_context(pod, spec)
    return JobRequest(item, base.queue, base.job_set_id, base.notes + complete(item), container.name)


def complete(item: submit_pb2.JobSubmitRequestItem) -> list[str]:
    """Fill in what Armada wants and authors leave out.

    :param item: changed in place
    :return: what was filled in, one sentence each
    """
    item.namespace = item.namespace or DEFAULT_NAMESPACE
    return complete_resources(main_pod_spec(item))


def gather_gang_again(item: submit_pb2.JobSubmitRequestItem, resubmission: int) -> None:
    """Give a resubmitted member the id that all others of its gang get, too: Armada takes no gang id twice.

    The scheduler preempts a gang as a whole, so that its members count the same resubmissions.

    :param item: changed in place
    :param resubmission: how often the job was submitted before
    """
    if resubmission and item.annotations.get(GANG_ID):
        item.annotations[GANG_ID] += f"-{resubmission}"


def main_pod_spec(item: submit_pb2.JobSubmitRequestItem) -> core_v1_pb2.PodSpec:
    """The pod spec of an item, wherever it keeps it; added when there is none.

    :param item: the item
    :return: its pod spec, not a copy
    """
    if len(item.pod_specs) and not item.HasField("pod_spec"):
        return item.pod_specs[0]
    item.pod_spec.SetInParent()
    return item.pod_spec


def main_container(pod: core_v1_pb2.PodSpec, name: str) -> core_v1_pb2.Container:
    """The container that the short form means; added when there is none.

    :param pod: the pod spec
    :param name: the name that the author asked for, or empty
    :return: the container, not a copy
    """
    wanted = name or DEFAULT_CONTAINER
    for container in pod.containers:
        if container.name == wanted:
            return container
    if pod.containers and not name:
        container = pod.containers[0]
        container.name = container.name or DEFAULT_CONTAINER
        return container
    return pod.containers.add(name=wanted)


def _read_bases(spec: JobSpec, problems: list[Problem]) -> JobFile:
    job = _read_base(spec.job_request, "job_request", problems)
    pod = _read_base(spec.pod_spec, "pod_spec", problems)
    if job is None or pod is None:
        return job or pod or JobFile([submit_pb2.JobSubmitRequestItem()])
    item, other = job.items[0], pod.items[0]
    item.ClearField("pod_spec")
    item.ClearField("pod_specs")
    item.MergeFrom(other)
    return JobFile([item], job.queue or pod.queue, job.job_set_id or pod.job_set_id, job.notes + pod.notes)


def _read_base(value: Any, path: str, problems: list[Problem]) -> JobFile | None:
    if value is None or value == "":
        return None
    try:
        return read_job(value, path)
    except InvalidJob as error:
        problems.extend(error.problems)
        return None


def _container_name(pod: core_v1_pb2.PodSpec, spec: JobSpec, problems: list[Problem]) -> str:
    """A name that the base does not have makes a new container, if there is an image for it."""
    if not isinstance(spec.container_name, str) or not spec.container_name.isprintable():
        problems.append(Problem("container_name", "", f"expected a name, got {type_name(spec.container_name)}"))
        return ""
    names = [container.name for container in pod.containers]
    if spec.container_name and names and spec.container_name not in names and not spec.image:
        rule, hint = "the job has no container of this name", f"it has {', '.join(names)}; a new one needs an image"
        problems.append(Problem("container_name", repr(spec.container_name), rule, hint))
    return spec.container_name


def _lay_container(container: Any, pod: Any, spec: JobSpec, problems: list[Problem]) -> None:
    parts = Parts()
    for kind, sources in ((SECRET, spec.secrets), (CONFIG_MAP, spec.configmaps)):
        if sources is not None:
            expand(kind, sources, parts, problems)
    lay(container, _CONTAINER, spec, problems)
    _lay_resources(container, spec, problems)
    _lay_parts(container, pod, parts, problems)
    lay(container, (_ENV, _MOUNTS), spec, problems)


def _lay_resources(container: core_v1_pb2.Container, spec: JobSpec, problems: list[Problem]) -> None:
    """A request or limit that is given alone replaces both of the base."""
    given = core_v1_pb2.Container()
    lay(given, (_RESOURCES,), spec, problems)
    base = container.resources
    for name in set(given.resources.requests) ^ set(given.resources.limits):
        base.requests.pop(name, None)
        base.limits.pop(name, None)
    base.MergeFrom(given.resources)


def _lay_parts(container: Any, pod: Any, parts: Parts, problems: list[Problem]) -> None:
    targets: Iterable[tuple[Any, Laid, list[dict[str, Any]]]] = (
        (container, _ENV, parts.env),
        (container, Laid("env_from", "envFrom", MERGE), parts.env_from),
        (container, _MOUNTS, parts.volume_mounts),
        (pod, _VOLUMES, parts.volumes),
    )
    for message, laid, values in targets:
        if values:
            lay_value(message, laid, values, problems)


def _lay_annotations(item: Any, spec: JobSpec, problems: list[Problem]) -> None:
    for argument, annotation in _GANG:
        value = getattr(spec, argument)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value in (None, ""):
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            problems.append(Problem(argument, "", f"expected text, got {type_name(value)}"))
        else:
            lay_value(item, Laid(argument, "annotations"), {annotation: str(value)}, problems)
    if spec.fail_fast is not None:
        if isinstance(spec.fail_fast, bool | str) and str(spec.fail_fast).lower() in ("true", "false"):
            item.annotations[FAIL_FAST] = str(spec.fail_fast).lower()
        else:
            shown = repr(spec.fail_fast) if isinstance(spec.fail_fast, str) else type_name(spec.fail_fast)
            problems.append(Problem("fail_fast", shown, "expected True or False"))
    for laid in (Laid("identity_labels", "labels"), Laid("identity_annotations", "annotations")):
        lay(item, (laid,), spec, problems)
    if item.external_job_uri:
        # Servers before v0.20.39 know only the annotation.
        item.annotations[EXTERNAL_JOB_URI] = item.external_job_uri


def _lay_defaults(item: Any, pod: Any, container: Any, defaults: JobDefaults) -> None:
    """Fill in what nobody has said; a resource that has a request or a limit is said."""
    if defaults.namespace and not item.namespace:
        item.namespace = defaults.namespace
    if defaults.priority_class and not pod.priorityClassName:
        pod.priorityClassName = defaults.priority_class
    for key, value in defaults.labels:
        if key not in item.labels:
            item.labels[key] = value
    said = {*container.resources.requests, *container.resources.limits}
    for name, quantity in defaults.resources:
        if name not in said:
            container.resources.requests[name].string = quantity


def _lay_context(pod: core_v1_pb2.PodSpec, spec: JobSpec) -> None:
    for container in (*pod.containers, *pod.initContainers):
        present = {variable.name for variable in container.env}
        for name, value in (spec.context_env or {}).items():
            if name not in present:
                container.env.add(name=name, value=value)
