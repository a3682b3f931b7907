"""What of a pod spec the embedded Armada does not apply, and says so."""

from __future__ import annotations

import os
from typing import Any

import pytest

from airflow_armada.api.core_v1_pb2 import Container, PodSpec
from airflow_armada.standalone.runner import left_out as module
from airflow_armada.standalone.runner.left_out import left_out


def told(pod: dict[str, Any] | None = None, **container: Any) -> list[str]:
    return left_out(PodSpec(**(pod or {})), Container(name="main", **container))


@pytest.mark.parametrize(
    ("pod", "container", "names"),
    [
        ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}]}, {}, ["hostAliases"]),
        ({"runtimeClassName": "gvisor"}, {}, ["runtimeClassName"]),
        ({"dnsPolicy": "None"}, {}, ["dnsPolicy"]),
        ({"serviceAccountName": "robot"}, {}, ["serviceAccountName"]),
        ({"securityContext": {"fsGroup": 5, "runAsNonRoot": False}}, {}, ["securityContext.fsGroup"]),
        ({}, {"securityContext": {"privileged": True}}, ["containers[main].securityContext.privileged"]),
        ({}, {"securityContext": {"runAsUser": os.geteuid() + 1}}, ["containers[main].securityContext.runAsUser"]),
        ({}, {"tty": True}, ["containers[main].tty"]),
        ({}, {"volumeDevices": [{"name": "disk", "devicePath": "/dev/disk"}]}, ["containers[main].volumeDevices"]),
    ],
)
def test_what_a_real_node_would_do_otherwise_is_named(
    pod: dict[str, Any], container: dict[str, Any], names: list[str]
) -> None:
    assert told(pod, **container) == names


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        ({"dnsPolicy": "ClusterFirst", "serviceAccountName": "default"}, {}),
        ({"imagePullSecrets": [{"name": "registry"}], "hostNetwork": True}, {"image": "busybox", "stdin": True}),
        ({"automountServiceAccountToken": False}, {"tty": False, "securityContext": {"privileged": False}}),
        ({}, {"securityContext": {"runAsUser": os.geteuid(), "runAsGroup": os.getegid()}}),
    ],
)
def test_what_makes_no_difference_is_not(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert told(pod, **container) == []


def test_the_lists_name_fields_that_there_are() -> None:
    pod = module.APPLIED_TO_POD | module.MEANS_NOTHING_TO_POD
    container = module.APPLIED_TO_CONTAINER | module.MEANS_NOTHING_TO_CONTAINER

    assert pod <= set(PodSpec.DESCRIPTOR.fields_by_name)
    assert container <= set(Container.DESCRIPTOR.fields_by_name)
    assert module.AS_IT_IS_HERE.keys() <= set(PodSpec.DESCRIPTOR.fields_by_name)
