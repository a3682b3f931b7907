"""Kubernetes JSON and the messages say the same, and what the messages cannot say is an error that names its path."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, assume, given, settings

from airflow_armada.api import core_v1_pb2, networking_v1_pb2, submit_pb2
from airflow_armada.jobs.kubernetes.convert import (
    message_from_dict,
    message_to_dict,
    pod_spec_from_dict,
    pod_spec_to_dict,
)
from airflow_armada.jobs.kubernetes.models import to_plain
from airflow_armada.jobs.kubernetes.yaml_text import dump, load_documents
from airflow_armada.jobs.problems import InvalidJob
from tests.unit.jobs.messages import messages

ROUND_TRIP = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
ALL_CORE = sorted(core_v1_pb2.DESCRIPTOR.message_types_by_name)


@ROUND_TRIP
@given(messages(core_v1_pb2.PodSpec))
def test_a_pod_spec_survives_the_way_to_json_and_back(spec: Any) -> None:
    assert pod_spec_from_dict(pod_spec_to_dict(spec)) == spec


@ROUND_TRIP
@given(messages(submit_pb2.JobSubmitRequestItem))
def test_a_request_item_survives_the_way_to_yaml_and_back(item: Any) -> None:
    text = dump(message_to_dict(item))
    assert message_from_dict(submit_pb2.JobSubmitRequestItem, load_documents(text, "job")[0], "job") == item


@pytest.mark.parametrize("name", ALL_CORE)
def test_every_message_of_core_v1_survives(name: str) -> None:
    @settings(ROUND_TRIP, max_examples=8)
    @given(messages(getattr(core_v1_pb2, name), fields=8))
    def survives(message: Any) -> None:
        assert message_from_dict(type(message), message_to_dict(message), name) == message

    survives()


@settings(ROUND_TRIP, max_examples=20)
@given(messages(networking_v1_pb2.Ingress))
def test_an_ingress_survives(ingress: Any) -> None:
    assert message_from_dict(networking_v1_pb2.Ingress, message_to_dict(ingress), "ingress") == ingress


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [fields]}


@pytest.mark.parametrize(
    ("data", "read"),
    [
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, lambda s: s.volumes[0].volumeSource.HasField("emptyDir")),
        ({"volumes": [{"configMap": {"name": "c"}}]}, lambda s: _config_map(s).localObjectReference.name == "c"),
        (container(livenessProbe={"exec": {"command": ["a"]}}), lambda s: _probe(s).handler.exec.command == ["a"]),
        (container(livenessProbe={"tcpSocket": {"port": 80}}), lambda s: _port(s).type == 0 and _port(s).intVal == 80),
        (
            container(livenessProbe={"tcpSocket": {"port": "a"}}),
            lambda s: _port(s).type == 1 and _port(s).strVal == "a",
        ),
        (container(resources={"limits": {"cpu": 2}}), lambda s: _limits(s)["cpu"].string == "2"),
        (container(resources={"limits": {"cpu": 0.1}}), lambda s: _limits(s)["cpu"].string == "0.1"),
        (container(resources={"limits": {"cpu": 1e-7}}), lambda s: _limits(s)["cpu"].string == "0.0000001"),
        ({"terminationGracePeriodSeconds": 0}, lambda s: s.HasField("terminationGracePeriodSeconds")),
        ({"hostNetwork": False}, lambda s: s.HasField("hostNetwork")),
        ({"hostNetwork": None, "affinity": None, "containers": None}, lambda s: not s.ListFields()),
        ({"host_ipc": True, "service_account_name": "me"}, lambda s: s.hostIPC and s.serviceAccountName == "me"),
        ({"nodeSelector": {1: "a"}}, lambda s: s.nodeSelector["1"] == "a"),
        (
            {"ephemeralContainers": [{"name": "e", "targetContainerName": "t"}]},
            lambda s: s.ephemeralContainers[0].ephemeralContainerCommon.name == "e",
        ),
    ],
)
def test_json_says_it_in_its_own_way(data: dict[str, Any], read: Any) -> None:
    assert read(pod_spec_from_dict(data))


def _config_map(spec: Any) -> Any:
    return spec.volumes[0].volumeSource.configMap


def _probe(spec: Any) -> Any:
    return spec.containers[0].livenessProbe


def _port(spec: Any) -> Any:
    return _probe(spec).handler.tcpSocket.port


def _limits(spec: Any) -> Any:
    return spec.containers[0].resources.limits


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            container(resources={"limitz": {}}),
            "spec.containers[0].resources.limitz: unknown field; did you mean limits?",
        ),
        ({"Containers": []}, "spec.Containers: unknown field; did you mean containers?"),
        ({"quiteOther": 1}, "spec.quiteOther: unknown field; remove it or check its place"),
        ({"hostnameOverride": "x"}, "spec.hostnameOverride: a Kubernetes field that Armada's API cannot carry"),
        (
            container(livenessProbe={"httpGet": {"protocol": "h2"}}),
            "spec.containers[0].livenessProbe.httpGet.protocol: a Kubernetes field that Armada's API cannot carry",
        ),
        ({"containers": {}}, "spec.containers: expected a list, got an object"),
        ({"containers": "x"}, "spec.containers: expected a list, got text"),
        ({"containers": [None]}, "spec.containers[0]: empty entry in a list; remove it"),
        ({"containers": ["x"]}, "spec.containers[0]: expected an object with fields, got text"),
        (container(command="sh"), "spec.containers[0].command: expected a list, got text"),
        (container(command=[1]), "spec.containers[0].command[0]: expected text, got a number; put it in quotes"),
        (container(image=1.5), "spec.containers[0].image: expected text, got 1.5; put it in quotes"),
        (container(tty="yes"), "spec.containers[0].tty: expected true or false, got 'yes'"),
        (
            container(ports=[{"containerPort": "80"}]),
            "containerPort: expected a whole number, got '80'; write it without",
        ),
        (container(ports=[{"containerPort": True}]), "containerPort: expected a whole number, got True"),
        (container(ports=[{"containerPort": 2**31}]), "containerPort: expected a whole number from -2147483648 to"),
        (container(resources={"limits": {"cpu": True}}), "limits['cpu']: expected a quantity such as 500m, 2 or 1Gi"),
        (container(resources={"limits": {"cpu": float("nan")}}), "limits['cpu']: expected a quantity"),
        (container(resources={"limits": {"cpu": None}}), "limits['cpu']: has no value"),
        (container(resources={"limits": ["cpu"]}), "limits: expected a mapping, got a list"),
        ({"nodeSelector": {True: "a"}}, "spec.nodeSelector['True']: expected a text key"),
        ({"nodeSelector": {"a": 1}}, "spec.nodeSelector['a']: expected text, got 1; put it in quotes"),
        ({"hostIPC": True, "host_ipc": True}, "spec.host_ipc: the same field as hostIPC; give it once"),
        (container(image="\ud800"), "expected text that can be written as UTF-8"),
    ],
)
def test_what_does_not_fit_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        pod_spec_from_dict(data)
    assert message in str(raised.value)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InvalidJob) as raised:
        pod_spec_from_dict({"a": 1, "containers": [{"b": 1}, {"image": 2}]})
    assert [problem.path for problem in raised.value.problems] == [
        "spec.a",
        "spec.containers[0].b",
        "spec.containers[1].image",
    ]


def test_the_value_of_a_variable_is_never_shown() -> None:
    with pytest.raises(InvalidJob) as raised:
        pod_spec_from_dict(container(env=[{"name": "PIN", "value": 123456}]))
    assert "123456" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:01Z", 1, 0),
        ("1970-01-01T01:00:00+01:00", 0, 0),
        ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
    ],
)
def test_times_are_rfc_3339(text: str, seconds: int, nanos: int) -> None:
    pod = message_from_dict(core_v1_pb2.PodTemplateSpec, {"metadata": {"creationTimestamp": text}}, "pod")
    assert (pod.metadata.creationTimestamp.seconds, pod.metadata.creationTimestamp.nanos) == (seconds, nanos)


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T00:00:00", 5])
def test_other_times_are_refused(text: Any) -> None:
    with pytest.raises(InvalidJob, match="expected a time such as"):
        message_from_dict(core_v1_pb2.PodTemplateSpec, {"metadata": {"creationTimestamp": text}}, "pod")


def test_numbers_that_nothing_can_write_are_refused_in_our_words() -> None:
    with pytest.raises(InvalidJob, match="priority: expected a finite number, got a number of thousands of digits"):
        message_from_dict(submit_pb2.JobSubmitRequestItem, {"priority": 10**5000}, "")


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidJob, match="has more than 100 levels of lists and mappings; does it hold itself"):
        to_plain(endless, "volumes")


def test_a_negative_zero_survives() -> None:
    item = message_from_dict(submit_pb2.JobSubmitRequestItem, {"priority": -0.0}, "")
    assert repr(message_to_dict(item)["priority"]) == "-0.0"


@ROUND_TRIP
@given(messages(submit_pb2.JobSubmitRequestItem))
def test_what_protobufs_own_json_says_is_taken(item: submit_pb2.JobSubmitRequestItem) -> None:
    assume(b"managedFields" not in str(json_format.MessageToDict(item)).encode())
    assert message_from_dict(submit_pb2.JobSubmitRequestItem, json_format.MessageToDict(item), "") == item
