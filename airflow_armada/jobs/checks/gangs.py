"""Gangs: what their members must say, and agree on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_armada.api import submit_pb2
from airflow_armada.api.annotations import FAIL_FAST, GANG_CARDINALITY, GANG_ID, GANG_UNIFORMITY_LABEL
from airflow_armada.jobs.problems import Problem

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True)
class _Member:
    cardinality: int
    priority_class: str
    uniformity: str


def gang_problems(items: Sequence[submit_pb2.JobSubmitRequestItem], prefixes: Sequence[str]) -> list[Problem]:
    """What is wrong with the gangs of a request.

    :param items: the jobs of one request
    :param prefixes: the beginning of the paths of each
    :return: the problems
    """
    found: list[Problem] = []
    gangs: dict[str, _Member] = {}
    for item, prefix in zip(items, prefixes, strict=True):
        member = _member(item, prefix, found)
        if member is None:
            continue
        first = gangs.setdefault(item.annotations[GANG_ID], member)
        found += _differences(first, member, item.annotations[GANG_ID], prefix)
    return found


def annotation_path(prefix: str, key: str) -> str:
    """How messages call an annotation."""
    return f"{prefix}annotations[{key!r}]"


def _member(item: submit_pb2.JobSubmitRequestItem, prefix: str, found: list[Problem]) -> _Member | None:
    annotations = item.annotations
    if GANG_ID not in annotations:
        if GANG_CARDINALITY in annotations or GANG_UNIFORMITY_LABEL in annotations:
            hint = "set gang_id, or leave the gang out"
            found.append(
                Problem(annotation_path(prefix, GANG_ID), "", "is missing, but other gang settings are there", hint)
            )
        return None
    if not annotations[GANG_ID]:
        found.append(Problem(annotation_path(prefix, GANG_ID), "", "must not be empty", "set gang_id"))
        return None
    cardinality = _cardinality(item, prefix, found)
    if cardinality < 2:
        return None
    if annotations.get(FAIL_FAST, "true") != "true":
        rule = "a gang must fail fast"
        hint = "leave fail_fast out"
        found.append(Problem(annotation_path(prefix, FAIL_FAST), annotations[FAIL_FAST], rule, hint))
    return _Member(cardinality, _priority_class(item), annotations.get(GANG_UNIFORMITY_LABEL, ""))


def _cardinality(item: submit_pb2.JobSubmitRequestItem, prefix: str, found: list[Problem]) -> int:
    text = item.annotations.get(GANG_CARDINALITY, "")
    number = int(text) if _INTEGER.fullmatch(text) and len(text) < 30 else 0
    if not 0 < number <= _MAX_INT64:
        rule = "must be the number of jobs in the gang, a whole number above 0"
        found.append(Problem(annotation_path(prefix, GANG_CARDINALITY), text, rule, "set gang_cardinality"))
        return 0
    return number


def _priority_class(item: submit_pb2.JobSubmitRequestItem) -> str:
    if item.HasField("pod_spec"):
        return item.pod_spec.priorityClassName
    return item.pod_specs[0].priorityClassName if len(item.pod_specs) else ""


def _differences(first: _Member, member: _Member, gang: str, prefix: str) -> list[Problem]:
    compared = (
        (annotation_path(prefix, GANG_CARDINALITY), first.cardinality, member.cardinality),
        (f"{prefix}podSpec.priorityClassName", first.priority_class, member.priority_class),
        (annotation_path(prefix, GANG_UNIFORMITY_LABEL), first.uniformity, member.uniformity),
    )
    return [
        Problem(path, repr(found), f"all members of gang {gang!r} must agree", f"the first member says {expected!r}")
        for path, expected, found in compared
        if expected != found
    ]
