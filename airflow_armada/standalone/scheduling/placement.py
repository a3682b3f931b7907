"""Whether the machine is one that a pod spec asks for: node selector and required node affinity."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_armada.api.core_v1_pb2 import NodeSelectorRequirement, NodeSelectorTerm, PodSpec

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
"""What ``Gt`` and ``Lt`` compare."""


def placement_problem(spec: PodSpec, labels: Mapping[str, str]) -> str:
    """Return why a pod cannot be placed on a machine with these labels, or nothing."""
    for key, value in spec.nodeSelector.items():
        if key not in labels:
            return f"node does not match pod NodeSelector: label {key} not set"
        if labels[key] != value:
            return f"node does not match pod NodeSelector: required label {key} = {value}, but node has {labels[key]}"
    affinity = spec.affinity.nodeAffinity
    terms = affinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
    if affinity.HasField("requiredDuringSchedulingIgnoredDuringExecution") and not any(
        _matches(term, labels) for term in terms
    ):
        return "node does not match pod NodeAffinity"
    return ""


def _matches(term: NodeSelectorTerm, labels: Mapping[str, str]) -> bool:
    if not term.matchExpressions and not term.matchFields:
        return False
    names = {"metadata.name": labels.get("kubernetes.io/hostname", "")}
    return all(_satisfied(one, labels) for one in term.matchExpressions) and all(
        _satisfied(one, names) for one in term.matchFields
    )


def _satisfied(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _is_number(value) and int(value or 0) > int(requirement.values[0])
        case "Lt":
            return _is_number(value) and int(value or 0) < int(requirement.values[0])
    return False


def _is_number(text: str | None) -> bool:
    return text is not None and INTEGER.fullmatch(text) is not None
