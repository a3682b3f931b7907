"""The rules for node affinity in a submit request."""

from __future__ import annotations

from airflow_armada.api.core_v1_pb2 import NodeAffinity, NodeSelectorRequirement

_NEEDS_VALUES = ("In", "NotIn")
_NEEDS_ONE_NUMBER = ("Gt", "Lt")
_NEEDS_NONE = ("Exists", "DoesNotExist")


def affinity_problem(affinity: NodeAffinity) -> str:
    """Return which rule a node affinity breaks, or nothing."""
    if affinity.preferredDuringSchedulingIgnoredDuringExecution:
        return "preferredDuringSchedulingIgnoredDuringExecution node affinity is not supported by Armada"
    for term in affinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms:
        problems = [_requirement_problem(one) for one in term.matchExpressions]
        problems += [_field_problem(one) for one in term.matchFields]
        for problem in filter(None, problems):
            return f"invalid RequiredDuringSchedulingIgnoredDuringExecution node affinity: {problem}"
    return ""


def _requirement_problem(requirement: NodeSelectorRequirement) -> str:
    operator, values = requirement.operator, requirement.values
    if operator in _NEEDS_VALUES and not values:
        return f"{requirement.key}: operator {operator} needs at least one value"
    if operator in _NEEDS_NONE and values:
        return f"{requirement.key}: operator {operator} takes no values"
    if operator in _NEEDS_ONE_NUMBER and not (len(values) == 1 and values[0].lstrip("-").isdigit()):
        return f"{requirement.key}: operator {operator} needs exactly one integer"
    if operator not in (*_NEEDS_VALUES, *_NEEDS_NONE, *_NEEDS_ONE_NUMBER):
        return f'{requirement.key}: "{operator}" is not a valid node selector operator'
    return "" if requirement.key else "a requirement needs a key"


def _field_problem(requirement: NodeSelectorRequirement) -> str:
    if requirement.key != "metadata.name":
        return f"field {requirement.key!r} is not supported, only metadata.name"
    if requirement.operator not in _NEEDS_VALUES or len(requirement.values) != 1:
        return "a field needs operator In or NotIn with one value"
    return ""
