"""The rules for a submit request: a good and a bad case for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.api.resource_pb2 import Quantity
from airflow_armada.standalone.config import PRIORITY_CLASSES
from airflow_armada.standalone.services.submit_rules import InvalidRequest, check_request

Change = Callable[[submit_pb2.JobSubmitRequest], Any]


def request(*changes: Change) -> submit_pb2.JobSubmitRequest:
    """Return a request that keeps every rule, changed."""
    amounts = {"cpu": Quantity(string="1"), "memory": Quantity(string="1Gi")}
    resources = core_v1_pb2.ResourceRequirements(requests=amounts, limits=amounts)
    container = core_v1_pb2.Container(name="main", image="busybox", resources=resources)
    item = submit_pb2.JobSubmitRequestItem(namespace="default", pod_spec=core_v1_pb2.PodSpec(containers=[container]))
    built = submit_pb2.JobSubmitRequest(queue="q", job_set_id="s", job_request_items=[item])
    for change in changes:
        change(built)
    return built


def item(built: submit_pb2.JobSubmitRequest) -> submit_pb2.JobSubmitRequestItem:
    return built.job_request_items[0]


def spec(built: submit_pb2.JobSubmitRequest) -> core_v1_pb2.PodSpec:
    return item(built).pod_spec


def set_item(**fields: Any) -> Change:
    """Return a change that merges fields into the first item."""
    return lambda built: item(built).MergeFrom(submit_pb2.JobSubmitRequestItem(**fields))


def set_spec(**fields: Any) -> Change:
    """Return a change that merges fields into the first item's pod spec."""
    return lambda built: spec(built).MergeFrom(core_v1_pb2.PodSpec(**fields))


def set_resource(name: str, request: str | None, limit: str | None) -> Change:
    """Return a change of one resource of the container; None removes it."""

    def change(built: submit_pb2.JobSubmitRequest) -> None:
        resources = spec(built).containers[0].resources
        for amounts, text in ((resources.requests, request), (resources.limits, limit)):
            if text is None:
                amounts.pop(name, None)
            else:
                amounts[name].string = text

    return change


def add_init(cpu: str, **fields: Any) -> Change:
    """Return a change that adds an init container."""
    amounts = {"cpu": Quantity(string=cpu)}
    resources = core_v1_pb2.ResourceRequirements(requests=amounts, limits=amounts)
    return set_spec(initContainers=[core_v1_pb2.Container(name="init", resources=resources, **fields)])


def no_resources(built: submit_pb2.JobSubmitRequest) -> None:
    spec(built).containers[0].ClearField("resources")


def node_affinity(**requirement: Any) -> Change:
    """Return a change that requires something of the node."""
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    return set_spec(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})


def preferred_affinity(built: submit_pb2.JobSubmitRequest) -> None:
    spec(built).affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution.add(weight=1)


def gang(**annotations: str) -> Change:
    """Return a change that adds a member of a gang."""

    def change(built: submit_pb2.JobSubmitRequest) -> None:
        built.job_request_items.add().CopyFrom(item(request()))
        names = {"id": "gangId", "size": "gangCardinality", "label": "gangNodeUniformityLabel", "fast": "failFast"}
        for key, value in annotations.items():
            built.job_request_items[-1].annotations[f"armadaproject.io/{names[key]}"] = value

    return change


def of_class(name: str) -> Change:
    """Return a change of the last item's priority class."""

    def change(built: submit_pb2.JobSubmitRequest) -> None:
        built.job_request_items[-1].pod_spec.priorityClassName = name

    return change


def without(field: str) -> Change:
    return lambda built: built.ClearField(field)  # type: ignore[arg-type]


def without_in_item(field: str) -> Change:
    return lambda built: item(built).ClearField(field)  # type: ignore[arg-type]


def add_pod_specs(count: int) -> Change:
    return lambda built: [item(built).pod_specs.add().CopyFrom(spec(request())) for _ in range(count)]


def only_pod_specs(count: int) -> Change:
    def change(built: submit_pb2.JobSubmitRequest) -> None:
        add_pod_specs(count)(built)
        item(built).ClearField("pod_spec")

    return change


def padded_to(size: int) -> Change:
    """Return a change that makes the pod spec exactly this many bytes."""

    def change(built: submit_pb2.JobSubmitRequest) -> None:
        pod = spec(built)
        pod.hostname = "x" * (size - 1000)
        pod.hostname += "x" * (size - pod.ByteSize())

    return change


def set_id(text: str) -> Change:
    return lambda built: setattr(built, "job_set_id", text)


def port(number: int) -> core_v1_pb2.ContainerPort:
    return core_v1_pb2.ContainerPort(containerPort=number)


def expose(*numbers: int) -> Change:
    return lambda built: spec(built).containers[0].ports.extend(map(port, numbers))


GOOD: dict[str, list[Change]] = {
    "as it is": [],
    "longest job set id": [set_id("x" * 1023)],
    "one entry in pod_specs": [only_pod_specs(1)],
    "largest pod spec": [padded_to(65535)],
    "affinity In": [node_affinity(key="zone", operator="In", values=["a"])],
    "affinity Exists": [node_affinity(key="zone", operator="Exists")],
    "affinity Gt": [node_affinity(key="age", operator="Gt", values=["3"])],
    "requests and limits that differ in writing only": [set_resource("cpu", "1", "1000m")],
    "least memory": [set_resource("memory", "1Mi", "1Mi")],
    "zero cpu": [set_resource("cpu", "0", "0")],
    "init container with a part of a cpu": [add_init("900m")],
    "preemptible class": [of_class("armada-preemptible")],
    "resilient class": [of_class("armada-resilient")],
    "grace period of 0": [set_spec(terminationGracePeriodSeconds=0)],
    "longest grace period": [set_spec(terminationGracePeriodSeconds=300)],
    "ports in two ingresses": [set_item(ingress=[{"ports": [1]}, {"ports": [2]}])],
    "two container ports": [expose(1, 2)],
    "longest client id": [set_item(client_id="x" * 100)],
    "price band": [set_item(annotations={"armadaproject.io/priceBand": "c"})],
    "gang": [gang(id="g", size="2"), gang(id="g", size="2", fast="true")],
    "gang of one": [gang(id="g", size="1", fast="false")],
    "two gangs": [gang(id="g", size="2"), gang(id="h", size="3")],
}

BAD: dict[str, tuple[list[Change], str]] = {
    "no queue": ([without("queue")], "queue is a required field"),
    "no job set id": ([without("job_set_id")], "job set id is a required field"),
    "long job set id": ([set_id("é" * 512)], "job set id of length 1024 must be less than"),
    "no namespace": ([without_in_item("namespace")], "namespace is a required field"),
    "no pod spec": ([without_in_item("pod_spec")], "at least one PodSpec"),
    "both kinds of pod spec": ([add_pod_specs(1)], "these are exclusive"),
    "two pods": ([only_pod_specs(2)], "multiple pods are not supported"),
    "large pod spec": ([padded_to(65536)], "has a size of 65536 bytes"),
    "preferred affinity": ([preferred_affinity], "preferredDuringScheduling"),
    "affinity without values": ([node_affinity(key="zone", operator="In")], "values set can't be empty"),
    "affinity with values": ([node_affinity(key="a", operator="Exists", values=["b"])], "values set must be empty"),
    "affinity of no number": (
        [node_affinity(key="a", operator="Lt", values=["b"])],
        "exactly one integer value",
    ),
    "affinity without operator": ([node_affinity(key="a")], "operator: Unsupported value"),
    "affinity without key": ([node_affinity(operator="Exists")], "name part must be non-empty"),
    "no resources": ([no_resources], "container main has no resources specified"),
    "requests only": ([set_resource("cpu", "1", None)], "different resources for requests and limits"),
    "negative request": ([set_resource("cpu", "-1", "1")], "negative resource request (-1) for resource cpu"),
    "negative limit": ([set_resource("cpu", "1", "-1")], "negative resource limit (-1) for resource cpu"),
    "other keys": (
        [set_resource("cpu", "1", None), set_resource("disk", None, "1")],
        "defines cpu for requests but not limits",
    ),
    "limit below request": ([set_resource("cpu", "2", "1")], "limits smaller than requests"),
    "limit above request": ([set_resource("cpu", "1", "2")], "limits great than 1.00*requests"),
    "little memory": ([set_resource("memory", "1000Ki", "1000Ki")], "below server minimum (1Mi)"),
    "no quantity": ([set_resource("memory", "lots", "lots")], "'lots' is not a quantity"),
    "init container with a whole cpu": ([add_init("2")], "Init container init contains invalid cpu value 2"),
    "unknown class": ([of_class("armada-luxury")], "priority class armada-luxury is not supported"),
    "long grace period": (
        [set_spec(terminationGracePeriodSeconds=301)],
        "must be [1000000000, 300000000000]",
    ),
    "negative grace period": (
        [set_spec(terminationGracePeriodSeconds=-1)],
        "must be [1000000000, 300000000000]",
    ),
    "ingress without ports": ([set_item(ingress=[{}])], "ingress contains zero ports"),
    "port in two ingresses": ([set_item(ingress=[{"ports": [1]}, {"ports": [1]}])], "indexes 0, 1"),
    "container port twice": ([expose(80, 80)], "container port 80 is exposed multiple times"),
    "container port in an init container": (
        [expose(80), add_init("500m", ports=[port(80)])],
        'in containers "main" and "init"',
    ),
    "long client id": ([set_item(client_id="é" * 51)], "client id of length 102 is greater than"),
    "price band of none": ([set_item(annotations={"armadaproject.io/priceBand": "None"})], "price band None"),
    "gang without id": ([gang(id="", size="2")], "gang id is empty"),
    "gang without size": ([gang(id="g")], "gangCardinality is missing"),
    "gang of no number": ([gang(id="g", size="two")], "gang cardinality is not parseable"),
    "gang of none": ([gang(id="g", size="0")], "gang cardinality 0 is non-positive"),
    "gang of two sizes": ([gang(id="g", size="2"), gang(id="g", size="3")], "inconsistent gang cardinality"),
    "gang of two classes": (
        [gang(id="g", size="2"), gang(id="g", size="2"), of_class("armada-preemptible")],
        "inconsistent PriorityClassName",
    ),
    "gang of two labels": (
        [gang(id="g", size="2", label="a"), gang(id="g", size="2", label="b")],
        "inconsistent nodeUniformityLabel",
    ),
    "gang that does not fail fast": ([gang(id="g", size="2", fast="false")], "may not set fail fast flag"),
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD.keys())
def test_a_request_that_keeps_the_rules_passes(changes: list[Change]) -> None:
    check_request(request(*changes), PRIORITY_CLASSES)


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD.keys())
def test_a_request_that_breaks_a_rule_is_told_which(changes: list[Change], words: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_request(request(*changes), PRIORITY_CLASSES)

    assert words in str(raised.value)


def test_the_first_broken_rule_is_the_one_that_is_told() -> None:
    broken = request(without("job_set_id"), without_in_item("namespace"), gang(id="", size="2"))

    with pytest.raises(InvalidRequest, match="gang id is empty"):
        check_request(broken, PRIORITY_CLASSES)
