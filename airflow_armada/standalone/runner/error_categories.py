"""The categories that a site's executor gives to failures, by rules as its ``errorCategories`` spell them.

Retry policies go by categories; without rules no failure of a pod has one. Source of the rules:
``internal/executor/categorizer`` of Armada.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_armada.api import event_pb2
from airflow_armada.api.event_pb2 import ContainerStatus
from airflow_armada.standalone.store.event_messages import Failure

CONDITIONS = ("OOMKilled", "Evicted", "DeadlineExceeded")
_POD_CONDITIONS: dict[int, str] = {event_pb2.Evicted: "Evicted", event_pb2.DeadlineExceeded: "DeadlineExceeded"}
_MATCHERS = ("onConditions", "onExitCodes", "onTerminationMessage", "onPodError")
_LONGEST_NAME = 63

Matcher = Callable[[Failure, Sequence[ContainerStatus]], bool]


@dataclass(frozen=True)
class _Rule:
    category: str
    subcategory: str
    hint: str
    container: str
    matches: Matcher


class ErrorCategories:
    """Names failures; the first rule that matches decides.

    :param rules: in their order
    :param default: category and subcategory of a failure that no rule matches
    """

    def __init__(self, rules: Iterable[_Rule] = (), default: tuple[str, str] = ("", "")) -> None:
        self._rules = tuple(rules)
        self._default = default

    def classify(self, failure: Failure) -> Failure:
        """Return a pod's failure with its category, and with the hint that belongs to it in its text."""
        if failure.category or not failure.from_pod:
            return failure
        for rule in self._rules:
            failed = [one for one in failure.containers if one.exitCode and rule.container in ("", one.name)]
            if rule.matches(failure, failed):
                reason = f"{failure.reason}\n\n{rule.hint}" if rule.hint else failure.reason
                return replace(failure, reason=reason, category=rule.category, subcategory=rule.subcategory)
        return replace(failure, category=self._default[0], subcategory=self._default[1])


def read_error_categories(data: Mapping[str, Any]) -> ErrorCategories:
    """Read rules as an executor's configuration has them.

    :param data: what ``errorCategories`` holds there: ``categories``, ``defaultCategory``, ``defaultSubcategory``
    :raises ValueError: a rule is not one
    """
    try:
        return _read(data)
    except (AttributeError, KeyError, TypeError, re.error) as error:
        raise ValueError(f"errorCategories are not written as an executor's configuration has them: {error}") from None


def _read(data: Mapping[str, Any]) -> ErrorCategories:
    rules = []
    for category in data.get("categories") or ():
        name = _name(category.get("name"), "a category's name")
        if not category.get("rules"):
            raise ValueError(f"the category {name!r} has no rules")
        rules += [_rule(name, rule) for rule in category["rules"]]
    default = [_name(data.get(key) or "", key, empty=True) for key in ("defaultCategory", "defaultSubcategory")]
    return ErrorCategories(rules, (default[0], default[1]))


def _name(value: Any, what: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not (value or empty):
        raise ValueError(f"{what} must be a text of 1 to {_LONGEST_NAME} characters, not {value!r}")
    return value


def _rule(category: str, rule: Mapping[str, Any]) -> _Rule:
    kinds = [kind for kind in _MATCHERS if rule.get(kind)]
    if len(kinds) != 1:
        raise ValueError(f"a rule of the category {category!r} must have exactly one of {', '.join(_MATCHERS)}")
    return _Rule(
        category,
        _name(rule.get("subcategory") or "", "a subcategory", empty=True),
        str(rule.get("hint") or ""),
        str(rule.get("containerName") or ""),
        _matcher(kinds[0], rule[kinds[0]]),
    )


def _matcher(kind: str, wanted: Any) -> Matcher:
    if kind == "onConditions":
        return _on_conditions(wanted)
    if kind == "onExitCodes":
        return _on_exit_codes(wanted)
    pattern = re.compile(wanted["pattern"])
    if kind == "onPodError":
        return lambda failure, failed: not failure.containers and pattern.search(failure.reason) is not None
    return lambda failure, failed: any(one.message and pattern.search(one.message) for one in failed)


def _on_conditions(conditions: Sequence[str]) -> Matcher:
    unknown = [one for one in conditions if one not in CONDITIONS]
    if unknown:
        raise ValueError(f"unknown condition {unknown[0]!r}: there are {', '.join(CONDITIONS)}")

    def matches(failure: Failure, failed: Sequence[ContainerStatus]) -> bool:
        reasons = {one.reason for one in failed} & {"OOMKilled"} | {_POD_CONDITIONS.get(failure.cause, "")}
        return not reasons.isdisjoint(conditions)

    return matches


def _on_exit_codes(codes: Mapping[str, Any]) -> Matcher:
    operator, values = codes.get("operator"), codes.get("values")
    if operator not in ("In", "NotIn") or not values:
        raise ValueError("onExitCodes must have an operator, In or NotIn, and values")
    return lambda failure, failed: any((one.exitCode in values) == (operator == "In") for one in failed)
