"""What the embedded server refuses, the check before the submit refuses too; both were written apart, from Armada's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_armada.api import submit_pb2
from airflow_armada.jobs.checks.check import request_problems
from airflow_armada.jobs.checks.server_rules import SHIPPED_PRIORITY_CLASSES, ServerRules
from airflow_armada.standalone.services.submit_rules import InvalidRequest, check_request
from tests.unit.jobs.checks.test_check import RULES, item, job
from tests.unit.jobs.messages import messages

SHIPPED = ServerRules(priority_classes=SHIPPED_PRIORITY_CLASSES)
LENIENT = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def refusal(items: list[Any], queue: str = "q", job_set_id: str = "s") -> str:
    """What the embedded server says to the jobs, or nothing."""
    request = submit_pb2.JobSubmitRequest(queue=queue, job_set_id=job_set_id, job_request_items=items)
    try:
        check_request(request, SHIPPED_PRIORITY_CLASSES)
    except InvalidRequest as error:
        return str(error)
    return ""


def agrees_both_ways(item_: Any) -> None:
    """Of resources the server looks at nothing but what the check looks at."""
    refused, found = refusal([item_]), request_problems([item_], "q", "s", SHIPPED)
    assert bool(refused) == bool(found), (refused, found)


def agrees(items: list[Any], queue: str = "q", job_set_id: str = "s") -> None:
    refused = refusal(items, queue, job_set_id)
    if refused:
        assert request_problems(items, queue, job_set_id, SHIPPED), refused


@pytest.mark.parametrize("rule", RULES)
def test_the_server_takes_what_keeps_the_rules(rule: str) -> None:
    assert refusal([item(RULES[rule][0])]) == ""


@LENIENT
@given(st.lists(messages(submit_pb2.JobSubmitRequestItem), max_size=2))
def test_any_job(items: list[Any]) -> None:
    agrees(items)


PLAIN = ["1", "1000m", "500m", "0", "2", "-1", "1Gi", "1024Mi", "1Ki", "1e3", "x", "", "1Mi"]
ROUNDED_UP = ["1u", "999u", "1001u", "999999u", "1000001u", "1048575", "1048575500m", "1048575001m", "1048576", "1n"]
QUANTITIES = st.sampled_from(PLAIN + ROUNDED_UP)
RESOURCES = st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), QUANTITIES, max_size=2)
SAME = RESOURCES.map(lambda values: {"requests": values, "limits": values})
BOTH = SAME | st.fixed_dictionaries({}, optional={"requests": RESOURCES, "limits": RESOURCES})
PORTS = st.lists(st.sampled_from([{"containerPort": 80}, {"containerPort": 81}, {}]), max_size=2)
CONTAINER = st.fixed_dictionaries(
    {}, optional={"resources": BOTH, "ports": PORTS, "name": st.sampled_from(["", "a", "A"])}
)
WORDS = st.sampled_from(["", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "x", "1", "-1", "metadata.name"])
TERM = st.fixed_dictionaries({"key": WORDS}, optional={"operator": WORDS, "values": st.lists(WORDS, max_size=2)})
SELECTOR = st.fixed_dictionaries(
    {}, optional={"matchExpressions": st.lists(TERM, max_size=2), "matchFields": st.lists(TERM, max_size=1)}
)
POD = st.fixed_dictionaries(
    {},
    optional={
        "terminationGracePeriodSeconds": st.sampled_from([-1, 0, 1, 300, 301]),
        "priorityClassName": st.sampled_from(["", "armada-default", "armada-preemptible", "x"]),
        "initContainers": st.lists(CONTAINER, max_size=1),
        "affinity": st.builds(
            lambda terms: {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            },
            st.lists(SELECTOR, max_size=2),
        ),
    },
)
ANNOTATIONS = st.dictionaries(
    st.sampled_from([f"armadaproject.io/{name}" for name in ("gangId", "gangCardinality", "failFast", "priceBand")])
    | st.just("armadaproject.io/gangNodeUniformityLabel"),
    st.sampled_from(["", "true", "false", "g", "1", "2", "3", "-2", "1_0", " 2", "+2", "A", "h", "AB"]),
)
REST = st.fixed_dictionaries(
    {},
    optional={
        "annotations": ANNOTATIONS,
        "clientId": st.sampled_from(["", "x" * 100, "x" * 101, "ü" * 51]),
        "namespace": st.sampled_from(["", "default"]),
        "ingress": st.lists(st.sampled_from([{}, {"ports": [80]}, {"ports": [80, 80]}, {"ports": [81]}]), max_size=2),
    },
)


# One part of a job at a time, so that no other defect hides a disagreement.
ONE_PART = (
    st.builds(lambda container: job(container=container), CONTAINER)
    | st.builds(lambda pod: job(pod=pod), POD)
    | st.builds(lambda rest: job(**rest), REST)
)


@LENIENT
@given(ONE_PART)
def test_jobs_near_the_edges_of_the_rules(data: dict[str, Any]) -> None:
    agrees([item(data)])


@LENIENT
@given(
    st.dictionaries(st.sampled_from(["cpu", "memory"]), QUANTITIES.filter(bool), min_size=1), st.booleans(), st.data()
)
def test_quantities_are_rounded_alike(requests: dict[str, str], init: bool, data: st.DataObject) -> None:
    limits = {name: data.draw(QUANTITIES.filter(bool)) for name in requests}
    first = {"name": "a", "image": "b", "resources": {"requests": requests, "limits": limits}}
    agrees_both_ways(item(job(pod={"initContainers": [first]}) if init else job(container=first)))


@LENIENT
@given(st.lists(st.builds(lambda annotations: job(annotations=annotations), ANNOTATIONS), min_size=2, max_size=3))
def test_gangs_near_the_edges_of_the_rules(members: list[dict[str, Any]]) -> None:
    agrees([item(member) for member in members])


@pytest.mark.parametrize("queue", ["q", ""])
@pytest.mark.parametrize("job_set_id", ["s", "", "s" * 1023, "s" * 1024, "ü" * 512])
def test_queues_and_job_sets(queue: str, job_set_id: str) -> None:
    agrees([item(job())], queue, job_set_id)


def test_members_of_a_gang_that_disagree() -> None:
    gang = {"armadaproject.io/gangId": "g", "armadaproject.io/gangCardinality": "2"}
    other = gang | {"armadaproject.io/gangCardinality": "3"}
    assert "inconsistent gang cardinality" in refusal([item(job(annotations=gang)), item(job(annotations=other))])
    agrees([item(job(annotations=gang)), item(job(annotations=other))])
