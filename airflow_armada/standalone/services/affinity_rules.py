"""The rules for node affinity in a submit request."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_armada.api.core_v1_pb2 import NodeAffinity, NodeSelectorRequirement
from airflow_armada.standalone.scheduling.placement import INTEGER

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def affinity_problem(affinity: NodeAffinity) -> str:
    """Return which rule a node affinity breaks, or nothing."""
    if affinity.preferredDuringSchedulingIgnoredDuringExecution:
        return "preferredDuringSchedulingIgnoredDuringExecution node affinity is not supported by Armada"
    for problem in _problems(affinity):
        return f"invalid RequiredDuringSchedulingIgnoredDuringExecution node affinity: {problem}"
    return ""


def _problems(affinity: NodeAffinity) -> Iterator[str]:
    for index, term in enumerate(affinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms):
        for number, one in enumerate(term.matchExpressions):
            if problem := _requirement_problem(one):
                yield f"nodeSelectorTerms[{index}].matchExpressions[{number}].{problem}"
        for number, one in enumerate(term.matchFields):
            if problem := _field_problem(one):
                yield f"nodeSelectorTerms[{index}].matchFields[{number}].{problem}"


def _requirement_problem(requirement: NodeSelectorRequirement) -> str:
    operator, values = requirement.operator, list(requirement.values)
    shown = "[]string(nil)" if not values else "[]string{" + ", ".join(f'"{value}"' for value in values) + "}"
    if operator not in _OPERATORS:
        supported = ", ".join(f'"{name}"' for name in _OPERATORS)
        return f'operator: Unsupported value: "{operator}": supported values: {supported}'
    if operator in ("In", "NotIn") and not values:
        return f"values: Invalid value: {shown}: for 'in', 'notin' operators, values set can't be empty"
    if operator in ("Exists", "DoesNotExist") and values:
        return f"values: Invalid value: {shown}: values set must be empty for exists and does not exist"
    if operator in ("Gt", "Lt") and not (len(values) == 1 and INTEGER.fullmatch(values[0])):
        return f"values: Invalid value: {shown}: for 'Gt', 'Lt' operators, exactly one integer value is required"
    return "" if requirement.key else 'key: Invalid value: "": name part must be non-empty'


def _field_problem(requirement: NodeSelectorRequirement) -> str:
    if requirement.key != "metadata.name":
        return f'key: Invalid value: "{requirement.key}": not a valid field selector key'
    if requirement.operator not in ("In", "NotIn"):
        return f'operator: Invalid value: "{requirement.operator}": not a valid selector operator'
    if len(requirement.values) != 1:
        return (
            "values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        )
    return ""
