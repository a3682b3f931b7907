"""What must go together in a pod: Armada does not look, and Kubernetes refuses the pod, or a node never starts it.

Source: ``pkg/apis/core/validation/validation.go`` of Kubernetes, and what its kubelet checks before a container starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_armada.api import core_v1_pb2
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.jobs.checks.field_rules import is_field_path
from airflow_armada.jobs.checks.name_syntax import is_annotation_key
from airflow_armada.jobs.checks.pod import all_containers
from airflow_armada.jobs.problems import Problem

_DEFAULT_GRACE = 1  # seconds; what Armada's server sets
_OF_CONTAINERS = re.compile(r"spec\..*|status\..*|metadata\.(?:name|namespace|uid)|metadata\.\w+\['[^']+'\]")
_OF_FILES = re.compile(r"metadata\..*")
_KEYED = re.compile(r"metadata\.\w+\['([^']+)'\]")
_BYTES = frozenset({"1", "1k", "1Ki", *(f"1{unit}{binary}" for unit in "MGTPE" for binary in ("", "i"))})
_DIVISORS = {"cpu": frozenset({"1", "1m"}), "memory": _BYTES, "ephemeral-storage": _BYTES}


def consistency_problems(pod: core_v1_pb2.PodSpec, path: str) -> list[Problem]:
    """What in a pod does not go together.

    :param pod: the pod spec
    :param path: what messages call it
    :return: the problems
    """
    return [
        *_host_ports(pod, path),
        *_hooks(pod, path),
        *_references(pod, path),
        *_users(pod, path),
        *_devices(pod, path),
        *_claims(pod, path),
        *_resizing(pod, path),
        *_spreads(pod, path),
        *_priority(pod, path),
    ]


def _host_ports(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    taken: set[tuple[int, str, str]] = set()
    for container, where in all_containers(pod, path):
        for index, port in enumerate(container.ports):
            place = (port.hostPort, port.protocol or "TCP", port.hostIP)
            if port.hostPort and place in taken:
                rule = "another port of the pod is on this port of the node"
                yield Problem(f"{where}.ports[{index}].hostPort", str(port.hostPort), rule, "leave it out")
            taken.add(place)


def _hooks(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    grace = pod.terminationGracePeriodSeconds or _DEFAULT_GRACE
    for container, where in all_containers(pod, path):
        for name in ("postStart", "preStop"):
            seconds = getattr(container.lifecycle, name).sleep.seconds
            if seconds > grace:
                rule = f"must be at most terminationGracePeriodSeconds, which is {grace}"
                hint = "set termination_grace_period_seconds to more"
                yield Problem(f"{where}.lifecycle.{name}.sleep.seconds", str(seconds), rule, hint)


def _references(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    """Fields and resources of the pod that its variables and files name."""
    known = {container.name for container, _ in all_containers(pod, path)}
    for container, where in all_containers(pod, path):
        for index, variable in enumerate(container.env):
            source = variable.valueFrom
            yield from _field(source, _OF_CONTAINERS, f"{where}.env[{index}].valueFrom")
            yield from _resource(source, known, f"{where}.env[{index}].valueFrom")
    for index, volume in enumerate(pod.volumes):
        where = f"{path}.volumes[{index}]"
        files = [(volume.volumeSource.downwardAPI.items, f"{where}.downwardAPI")]
        for number, part in enumerate(volume.volumeSource.projected.sources):
            files.append((part.downwardAPI.items, f"{where}.projected.sources[{number}].downwardAPI"))
        for items, place in files:
            for number, item in enumerate(items):
                yield from _field(item, _OF_FILES, f"{place}.items[{number}]")
                yield from _resource(item, known, f"{place}.items[{number}]")
                if item.HasField("resourceFieldRef") and not item.resourceFieldRef.containerName:
                    name = f"{place}.items[{number}].resourceFieldRef.containerName"
                    yield Problem(name, "", "is required in a volume", f"name one of {', '.join(sorted(known))}")


def _field(source: Any, allowed: re.Pattern[str], path: str) -> Iterator[Problem]:
    field, where = source.fieldRef.fieldPath, f"{path}.fieldRef.fieldPath"
    keyed = _KEYED.fullmatch(field)
    if not is_field_path(field):
        return  # told elsewhere
    if not allowed.fullmatch(field):
        rule = "must be of the metadata" if allowed is _OF_FILES else "must name one label or annotation: ['...']"
        yield Problem(where, repr(field), f"{rule}, here")
    elif keyed and not is_annotation_key(keyed[1]):
        yield Problem(where, repr(field), f"{keyed[1]!r} can be the key of no label or annotation")


def _resource(source: Any, known: set[str], path: str) -> Iterator[Problem]:
    reference, where = source.resourceFieldRef, f"{path}.resourceFieldRef"
    name = reference.containerName
    if name and name not in known:
        yield Problem(f"{where}.containerName", repr(name), "the pod has no container of this name")
    divisors = _DIVISORS.get(reference.resource.partition(".")[2])
    text = reference.divisor.string
    if divisors and text and text not in divisors and not _is_zero(text):
        yield Problem(f"{where}.divisor", text, f"must be one of {', '.join(sorted(divisors))}")


def _is_zero(text: str) -> bool:
    try:
        return parse_quantity(text) <= 0
    except ValueError:
        return True  # told elsewhere


def _users(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    for container, where in all_containers(pod, path):
        own, shared = container.securityContext, pod.securityContext
        not_root = own.runAsNonRoot if own.HasField("runAsNonRoot") else shared.runAsNonRoot
        user = own if own.HasField("runAsUser") else shared
        if not_root and user.HasField("runAsUser") and user.runAsUser == 0:
            place = f"{where if user is own else path}.securityContext.runAsUser"
            yield Problem(place, "0", f"is root, which runAsNonRoot forbids container {container.name}")
        added = {name.removeprefix("CAP_") for name in own.capabilities.add}
        if "SYS_ADMIN" in added and own.HasField("allowPrivilegeEscalation") and not own.allowPrivilegeEscalation:
            place = f"{where}.securityContext.allowPrivilegeEscalation"
            yield Problem(place, "false", "cannot be false with the capability SYS_ADMIN", "remove one of them")


def _devices(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    kinds = {volume.name: [field.name for field, _ in volume.volumeSource.ListFields()] for volume in pod.volumes}
    for container, where in all_containers(pod, path):
        mounted = {mount.name for mount in container.volumeMounts}
        paths = {mount.mountPath for mount in container.volumeMounts}
        seen: set[str] = set()
        for index, device in enumerate(container.volumeDevices):
            place = f"{where}.volumeDevices[{index}]"
            if device.name not in kinds:
                yield Problem(f"{place}.name", repr(device.name), "the pod has no volume of this name", "", True)
            elif kinds[device.name] not in (["persistentVolumeClaim"], ["ephemeral"]):
                yield Problem(f"{place}.name", repr(device.name), "must be a persistentVolumeClaim or ephemeral volume")
            if device.name in mounted | seen:
                yield Problem(f"{place}.name", repr(device.name), "the container has this volume already")
            if device.devicePath in paths:
                yield Problem(f"{place}.devicePath", repr(device.devicePath), "another volume is there", "change one")
            seen.add(device.name)
            paths.add(device.devicePath)


def _claims(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    known = {claim.name for claim in pod.resourceClaims}
    for container, where in all_containers(pod, path):
        seen: set[tuple[str, str]] = set()
        for index, claim in enumerate(container.resources.claims):
            place = f"{where}.resources.claims[{index}]"
            if claim.name not in known:
                yield Problem(f"{place}.name", repr(claim.name), "the pod has no resource claim of this name", "", True)
            if (claim.name, claim.request) in seen:
                yield Problem(place, repr(claim.name), "the container has this claim already", "remove one")
            seen.add((claim.name, claim.request))


def _resizing(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    for container, where in all_containers(pod, path):
        for index, policy in enumerate(container.resizePolicy):
            if policy.restartPolicy == "RestartContainer" and container.restartPolicy != "Always":
                rule = "must be NotRequired, because Armada never restarts a container"
                yield Problem(f"{where}.resizePolicy[{index}].restartPolicy", "'RestartContainer'", rule)


def _spreads(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, spread in enumerate(pod.topologySpreadConstraints):
        where = f"{path}.topologySpreadConstraints[{index}]"
        if (pair := (spread.topologyKey, spread.whenUnsatisfiable)) in seen:
            yield Problem(where, ", ".join(pair), "another constraint has this key and rule", "remove one")
        seen.add(pair)
        if spread.matchLabelKeys and not spread.HasField("labelSelector"):
            yield Problem(f"{where}.matchLabelKeys", "", "needs a labelSelector")


def _priority(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    if pod.priority:
        rule, hint = "is set by Kubernetes from the priority class", "leave it out, and name a priority class"
        yield Problem(f"{path}.priority", str(pod.priority), rule, hint)
