"""The rules for the pod: size, affinity, priority class, deadlines, ports, tolerations, containers and volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_armada.api import core_v1_pb2
from airflow_armada.api.image_name import is_image_name
from airflow_armada.jobs.checks.name_syntax import LABEL_KEY_RULE, LABEL_VALUE_RULE, is_label_key, is_label_value
from airflow_armada.jobs.checks.server_rules import ServerRules
from airflow_armada.jobs.problems import Problem

_ADDED = 64  # bytes
_MAX_INT32 = 2**31 - 1
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def pod_problems(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> list[Problem]:
    """What is wrong with a pod apart from its resources and names.

    :param pod: the pod spec
    :param path: what messages call it
    :param rules: what the site accepts
    :return: the problems
    """
    return [
        *_size(pod, path, rules),
        *_affinity(pod.affinity.nodeAffinity, f"{path}.affinity.nodeAffinity"),
        *_priority_class(pod, path, rules),
        *_deadlines(pod, path, rules),
        *_ports(pod, path),
        *_tolerations(pod, path, rules),
        *_containers(pod, path),
    ]


def all_containers(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[tuple[core_v1_pb2.Container, str]]:
    """The containers of a pod, then its init containers, with their paths: the order in which Armada checks them."""
    for index, container in enumerate(pod.containers):
        yield container, f"{path}.containers[{index}]"
    for index, container in enumerate(pod.initContainers):
        yield container, f"{path}.initContainers[{index}]"


def _size(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> Iterator[Problem]:
    """The server counts its own additions, too: some 46 bytes for a pod with one container."""
    size, most = pod.ByteSize(), rules.max_pod_spec_bytes - _ADDED - _ADDED * len(pod.containers)
    if size > most:
        hint = "move large content into the image, a config map or a volume"
        rule = f"must be at most {most} bytes, so that with what the server adds it keeps {rules.max_pod_spec_bytes}"
        yield Problem(path, f"{size} bytes", rule, hint, True)


def _affinity(affinity: core_v1_pb2.NodeAffinity, path: str) -> Iterator[Problem]:
    if affinity.preferredDuringSchedulingIgnoredDuringExecution:
        hint = f"use {_REQUIRED}, or node_selector"
        yield Problem(f"{path}.{_PREFERRED}", "", "Armada does not support preferred node affinity", hint)
    for index, term in enumerate(affinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms):
        where = f"{path}.{_REQUIRED}.nodeSelectorTerms[{index}]"
        for number, expression in enumerate(term.matchExpressions):
            yield from _expression(expression, f"{where}.matchExpressions[{number}]")
        for number, requirement in enumerate(term.matchFields):
            yield from _match_field(requirement, f"{where}.matchFields[{number}]")


def _expression(requirement: Any, path: str) -> Iterator[Problem]:
    """As ``labels.NewRequirement`` of Kubernetes does."""
    operator, values = requirement.operator, list(requirement.values)
    if not is_label_key(requirement.key):
        yield Problem(f"{path}.key", repr(requirement.key), LABEL_KEY_RULE)
    if operator in ("In", "NotIn"):
        if not values:
            yield Problem(f"{path}.values", "", f"operator {operator} needs at least one value")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield Problem(f"{path}.values", repr(values), f"operator {operator} takes no values", "remove them")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1 or not _is_int64(values[0]):
            yield Problem(f"{path}.values", repr(values), f"operator {operator} needs one whole number")
    else:
        rule = "must be In, NotIn, Exists, DoesNotExist, Gt or Lt"
        yield Problem(f"{path}.operator", repr(operator), rule)
    for index, value in enumerate(values):
        if not is_label_value(value):
            yield Problem(f"{path}.values[{index}]", repr(value), LABEL_VALUE_RULE)


def _is_int64(text: str) -> bool:
    digits = text.removeprefix("-").removeprefix("+")
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and -(2**63) <= int(text) < 2**63


def _match_field(requirement: Any, path: str) -> Iterator[Problem]:
    if requirement.key != "metadata.name":
        yield Problem(f"{path}.key", repr(requirement.key), "must be metadata.name", "use matchExpressions for labels")
    if requirement.operator not in ("In", "NotIn"):
        yield Problem(f"{path}.operator", repr(requirement.operator), "must be In or NotIn for fields")
    elif len(requirement.values) != 1:
        yield Problem(f"{path}.values", repr(list(requirement.values)), "must be exactly one value for fields")


def _priority_class(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> Iterator[Problem]:
    name, allowed = pod.priorityClassName, rules.priority_classes
    if name and allowed is not None and name not in allowed:
        rule = f"must be one of {', '.join(sorted(allowed))}" if allowed else "the site allows none"
        hint = "leave it out for the server's default, or name the site's own in Airflow's option [armada] server_rules"
        yield Problem(f"{path}.priorityClassName", repr(name), rule, hint)


def _deadlines(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> Iterator[Problem]:
    low, high = rules.termination_grace
    grace = pod.terminationGracePeriodSeconds
    if grace != 0 and not low <= grace <= high:
        rule = f"must be from {low} to {high} seconds, or left out"
        yield Problem(f"{path}.terminationGracePeriodSeconds", str(grace), rule)
    if pod.HasField("activeDeadlineSeconds") and not 1 <= pod.activeDeadlineSeconds <= _MAX_INT32:
        rule = f"must be from 1 to {_MAX_INT32} seconds, or left out"
        hint = "without it the server sets 72 hours, 336 with GPUs"
        yield Problem(f"{path}.activeDeadlineSeconds", str(pod.activeDeadlineSeconds), rule, hint)


def _ports(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    owners: dict[int, str] = {}
    for container, where in all_containers(pod, path):
        for index, port in enumerate(container.ports):
            number, place = port.containerPort, f"{where}.ports[{index}].containerPort"
            if not 0 < number < 65536:
                yield Problem(place, str(number), "must be from 1 to 65535")
            if number in owners:
                rule = f"container {owners[number]!r} has this port already; a pod may have it once"
                yield Problem(place, str(number), rule, "remove one of them")
            owners.setdefault(number, container.name)


def _tolerations(pod: core_v1_pb2.PodSpec, path: str, rules: ServerRules) -> Iterator[Problem]:
    for index, toleration in enumerate(pod.tolerations):
        if toleration.key in rules.restricted_tolerations:
            rule = "the site does not let users set this toleration"
            yield Problem(f"{path}.tolerations[{index}].key", repr(toleration.key), rule, "remove it")
        if toleration.operator not in ("", "Equal", "Exists", "Lt", "Gt"):
            where = f"{path}.tolerations[{index}].operator"
            yield Problem(where, repr(toleration.operator), "must be Equal or Exists")
        if toleration.operator == "Exists" and toleration.value:
            where = f"{path}.tolerations[{index}].value"
            yield Problem(where, repr(toleration.value), "must be empty with operator Exists", "remove it")


def _containers(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    if not pod.containers:
        yield Problem(f"{path}.containers", "", "needs at least one container", "give an image")
    for container, where in all_containers(pod, path):
        if not container.image:
            yield Problem(f"{where}.image", "", "is required", "name the container image")
        elif container.image != container.image.strip():
            yield Problem(f"{where}.image", repr(container.image), "must not begin or end with white space")
        elif not is_image_name(container.image):
            hint = (
                f"write {container.image.lower()!r}"
                if is_image_name(container.image.lower())
                else _image_hint(container.image)
            )
            rule = "must be a path in lower case, perhaps after a host, with a tag or digest: host/path/name:tag"
            yield Problem(f"{where}.image", repr(container.image), rule, hint)
    if pod.ephemeralContainers:
        rule = "Kubernetes takes ephemeral containers only for pods that run"
        yield Problem(f"{path}.ephemeralContainers", "", rule, "make them containers or initContainers")


def _image_hint(image: str) -> str:
    _, scheme, rest = image.partition("://")
    return f"write {rest!r}" if scheme and is_image_name(rest) else ""
