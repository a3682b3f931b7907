"""The categories of failures, by rules as an executor's configuration has them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_armada.api import event_pb2
from airflow_armada.api.event_pb2 import ContainerStatus
from airflow_armada.standalone.runner.error_categories import read_error_categories
from airflow_armada.standalone.store.event_messages import Failure


def failed(code: int = 1, cause: int = event_pb2.Error, **status: Any) -> Failure:
    containers = [ContainerStatus(name="main", exitCode=code, **status), ContainerStatus(name="side", exitCode=0)]
    return Failure("it failed", cause, containers=containers, from_pod=True)


def categories(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"categories": [{"name": "found", "rules": list(rules)}], **more}


@pytest.mark.parametrize(
    ("rule", "failure", "matches"),
    [
        ({"onExitCodes": {"operator": "In", "values": [1, 2]}}, failed(2), True),
        ({"onExitCodes": {"operator": "In", "values": [1, 2]}}, failed(3), False),
        ({"onExitCodes": {"operator": "NotIn", "values": [1, 2]}}, failed(3), True),
        ({"onExitCodes": {"operator": "In", "values": [0]}}, failed(3), False),
        ({"onExitCodes": {"operator": "In", "values": [3]}, "containerName": "side"}, failed(3), False),
        ({"onConditions": ["OOMKilled"]}, failed(137, reason="OOMKilled"), True),
        ({"onConditions": ["OOMKilled"]}, failed(137), False),
        ({"onConditions": ["Evicted"]}, failed(137, event_pb2.Evicted), True),
        ({"onConditions": ["DeadlineExceeded"]}, failed(137, event_pb2.Evicted), False),
        ({"onTerminationMessage": {"pattern": "disk.*full"}}, failed(message="the disk is full"), True),
        ({"onTerminationMessage": {"pattern": "full"}}, failed(), False),
        ({"onPodError": {"pattern": "pull"}}, Failure("cannot pull the image", from_pod=True), True),
        ({"onPodError": {"pattern": "failed"}}, failed(), False),
    ],
)
def test_a_rule_matches(rule: dict[str, Any], failure: Failure, matches: bool) -> None:
    assert read_error_categories(categories(rule)).classify(failure).category == ("found" if matches else "")


def test_the_first_rule_gives_category_subcategory_and_hint() -> None:
    rules = [
        {"onExitCodes": {"operator": "In", "values": [75]}, "subcategory": "later", "hint": "try again"},
        {"onExitCodes": {"operator": "NotIn", "values": [0]}},
    ]

    found = read_error_categories(categories(*rules)).classify(failed(75))

    assert (found.category, found.subcategory, found.reason) == ("found", "later", "it failed\n\ntry again")


def test_what_no_rule_matches_has_the_default() -> None:
    data = categories({"onConditions": ["Evicted"]}, defaultCategory="other", defaultSubcategory="unknown")

    found = read_error_categories(data).classify(failed())

    assert (found.category, found.subcategory) == ("other", "unknown")


def test_what_has_a_category_or_is_no_failure_of_a_pod_is_left_alone() -> None:
    rules = read_error_categories(categories({"onPodError": {"pattern": "."}}))

    assert rules.classify(Failure("x", category="internal", from_pod=True)).category == "internal"
    assert rules.classify(Failure("x")).category == ""


@pytest.mark.parametrize(
    "data",
    [
        {"categories": [{"name": "", "rules": [{"onConditions": ["Evicted"]}]}]},
        {"categories": [{"name": "x" * 64, "rules": [{"onConditions": ["Evicted"]}]}]},
        {"categories": [{"name": "x"}]},
        {"categories": ["x"]},
        categories({}),
        categories({"onConditions": ["Evicted"], "onPodError": {"pattern": "x"}}),
        categories({"onConditions": ["Exploded"]}),
        categories({"onExitCodes": {"operator": "Is", "values": [1]}}),
        categories({"onExitCodes": {"operator": "In", "values": []}}),
        categories({"onPodError": {"pattern": "("}}),
        categories({"onPodError": {}}),
        categories({"onPodError": "x"}),
    ],
)
def test_what_is_not_written_as_there_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"[cC]ategor|rule|condition|onExitCodes"):
        read_error_categories(data)
