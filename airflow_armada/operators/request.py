"""The operator's arguments as a job request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_armada.exceptions import ArmadaRefused

if TYPE_CHECKING:
    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.jobs.identity import JobIdentity
    from airflow_armada.operators.armada import ArmadaOperator

_ARGUMENTS = (
    "job_request",
    "pod_spec",
    "container_name",
    "image",
    "cmds",
    "arguments",
    "env_vars",
    "container_resources",
    "env_from",
    "secrets",
    "configmaps",
    "ports",
    "volumes",
    "volume_mounts",
    "working_dir",
    "image_pull_policy",
    "container_security_context",
    "node_selector",
    "affinity",
    "tolerations",
    "security_context",
    "service_account_name",
    "image_pull_secrets",
    "init_containers",
    "containers",
    "termination_grace_period_seconds",
    "services",
    "ingress",
    "gang_id",
    "gang_cardinality",
    "gang_node_uniformity_label",
    "namespace",
    "priority",
    "priority_class_name",
    "labels",
    "annotations",
    "active_deadline_seconds",
    "fail_fast",
)
"""Arguments of the operator that mean the same to the job."""


def build_request(operator: ArmadaOperator, identity: JobIdentity) -> JobRequest:
    """
    Build the request for a job.

    :param operator: the operator, with its arguments rendered.
    :param identity: identity of the job.
    :return: the request.
    :raises ArmadaRefused: when the arguments do not make a job.
    """
    from airflow_armada.jobs.build import build_request
    from airflow_armada.jobs.request import JobSpec

    arguments = {name: getattr(operator, name) for name in _ARGUMENTS}
    try:
        return build_request(
            JobSpec(
                **arguments,
                client_id=identity.client_id,
                external_job_uri=identity.external_job_uri,
                identity_labels=identity.labels(),
                identity_annotations=identity.annotations(),
            )
        )
    except ValueError as error:
        raise ArmadaRefused(f"{error}") from None
