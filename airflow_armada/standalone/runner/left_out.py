"""What of a pod spec is not applied here, told in the log of the container that it is about.

A field that is in neither of the lists below is told, so that a new one is as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from airflow_armada.api.core_v1_pb2 import Container, PodSpec

APPLIED_TO_POD = {
    "volumes",
    "containers",
    "initContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "nodeSelector",
    "affinity",
    "tolerations",
    "priorityClassName",
}
MEANS_NOTHING_TO_POD = {
    # No image is pulled, there is one node, and its processes share what the machine has.
    "imagePullSecrets",
    "topologySpreadConstraints",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "hostUsers",
    # Armada has its own ideas of these.
    "schedulerName",
    "priority",
    "preemptionPolicy",
    "overhead",
    "readinessGates",
    "enableServiceLinks",
    "os",
}
APPLIED_TO_CONTAINER = {
    "name",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "volumeMounts",
    "livenessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "restartPolicy",
}
MEANS_NOTHING_TO_CONTAINER = {"image", "imagePullPolicy", "readinessProbe", "resizePolicy", "stdin", "stdinOnce"}
AS_IT_IS_HERE = {
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default"),
    "serviceAccountName": ("default",),
    "serviceAccount": ("default",),
}
"""Values that ask for nothing that is not there."""


def left_out(pod: PodSpec, container: Container) -> list[str]:
    """Return the fields that are not applied to a container, by their names in the pod spec."""
    names = list(_untold(pod, APPLIED_TO_POD | MEANS_NOTHING_TO_POD, ""))
    names += _untold(container, APPLIED_TO_CONTAINER | MEANS_NOTHING_TO_CONTAINER, f"containers[{container.name}].")
    return names


def _untold(message: Any, known: set[str], prefix: str) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.name == "securityContext":
            yield from (f"{prefix}securityContext.{name}" for name in _asked_of_security(value))
        elif field.name not in known and value and value not in AS_IT_IS_HERE.get(field.name, ()):
            yield prefix + field.name


def _asked_of_security(context: Any) -> Iterator[str]:
    """Return what of a security context would make a difference, or be there, on a real node only."""
    own = {"runAsUser": os.geteuid(), "runAsGroup": os.getegid()}
    for field, value in context.ListFields():
        if own.get(field.name) != value and value is not False:
            yield field.name


def note(names: list[str]) -> bytes:
    """Return the line that tells of them."""
    return f"armada-standalone: not applied here: {', '.join(names)}\n".encode()
