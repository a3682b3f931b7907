"""Each rule for a field of a pod, with a pod that keeps it and one that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.checks.check import problems
from airflow_armada.jobs.checks.field_rules import NUMBERS, ONE_OF, REQUIRED, SYNTAX, WORDS
from airflow_armada.jobs.kubernetes.convert import message_from_dict, pod_spec_from_dict
from airflow_armada.jobs.kubernetes.scalars import QUANTITY
from airflow_armada.jobs.kubernetes.schema import is_map, is_repeated

ONE = {"cpu": "1", "memory": "1Gi"}
HTTP = {"httpGet": {"port": 80}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


def pod(**fields: Any) -> dict[str, Any]:
    container = {"name": "base", "image": "a", "resources": {"requests": ONE, "limits": ONE}}
    return {"containers": [container | fields.pop("container", {})], **fields}


def container(**fields: Any) -> dict[str, Any]:
    return pod(container=fields)


def volume(**source: Any) -> dict[str, Any]:
    return pod(volumes=[{"name": "v", **source}])


def mount(**fields: Any) -> dict[str, Any]:
    return pod(container={"volumeMounts": [{"name": "v", "mountPath": "/v", **fields}]}, volumes=[{"name": "v"}])


def port(**fields: Any) -> dict[str, Any]:
    return container(ports=[{"containerPort": 80, **fields}])


def probe(**fields: Any) -> dict[str, Any]:
    return container(livenessProbe={**HTTP, **fields})


def variable(**source: Any) -> dict[str, Any]:
    return container(env=[{"name": "A", "valueFrom": source}])


def init(**fields: Any) -> dict[str, Any]:
    some = {"cpu": "900m", "memory": "1Gi"}
    first = {"name": "first", "image": "a", "resources": {"requests": some, "limits": some}, **fields}
    return pod(initContainers=[first])


def pod_term(**fields: Any) -> dict[str, Any]:
    term = {"topologyKey": "kubernetes.io/hostname", **fields}
    return pod(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})


def node_terms(terms: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return pod(affinity={"nodeAffinity": required})


def toleration(**fields: Any) -> dict[str, Any]:
    return pod(tolerations=[{"key": "gpu", "operator": "Exists", **fields}])


def projected(**source: Any) -> dict[str, Any]:
    return volume(projected={"sources": [source]})


def spread(**fields: Any) -> dict[str, Any]:
    return pod(topologySpreadConstraints=[{**SPREAD, **fields}])


def amounts(name: str, amount: str) -> dict[str, Any]:
    both = {**ONE, name: amount}
    return container(resources={"requests": both, "limits": both})


def sysctls(*names: str, **fields: Any) -> dict[str, Any]:
    return pod(securityContext={"sysctls": [{"name": name, "value": "1"} for name in names]}, **fields)


def downward(**source: Any) -> dict[str, Any]:
    return volume(downwardAPI={"items": [{"path": "p", **source}]})


def device(kind: str, volumeMounts: Any = (), **source: Any) -> dict[str, Any]:
    own = {"volumeDevices": [{"name": "v", "devicePath": "/dev/v"}], "volumeMounts": list(volumeMounts)}
    return pod(container=own, volumes=[{"name": "v", kind: source}, {"name": "w"}])


def claims(*used: dict[str, str]) -> dict[str, Any]:
    own = {"resources": {"requests": ONE, "limits": ONE, "claims": list(used)}}
    return pod(container=own, resourceClaims=[{"name": "c", "resourceClaimName": "x"}])


ITEM = {"key": "k", "path": "p"}
TERM = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "port name": (port(name="http-alt"), port(name="a-port-name-of-16")),
    "port name of digits": (port(name="h2"), port(name="80")),
    "port name once": (
        container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "b"}]),
        container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]),
    ),
    "host ip": (port(hostIP="10.0.0.1"), port(hostIP="10.0.0")),
    "host port of the host's network": (
        pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}, hostNetwork=True),
        pod(container={"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True),
    ),
    "one handler of a probe": (probe(), probe(tcpSocket={"port": 80})),
    "a handler of a probe": (probe(), container(readinessProbe={"periodSeconds": 3})),
    "port of a probe": (probe(), container(livenessProbe={"tcpSocket": {"port": "NOT_A_NAME"}})),
    "success threshold": (probe(successThreshold=1), probe(successThreshold=2)),
    "grace of a readiness probe": (
        container(readinessProbe=HTTP),
        container(readinessProbe={**HTTP, "terminationGracePeriodSeconds": 3}),
    ),
    "one lifecycle handler": (
        container(lifecycle={"preStop": {"sleep": {"seconds": 1}}}),
        container(lifecycle={"preStop": {"sleep": {"seconds": 1}, **HTTP}}),
    ),
    "probe of an init container": (init(restartPolicy="Always", startupProbe=HTTP), init(startupProbe=HTTP)),
    "restart of an init container": (init(restartPolicy="Always"), init(restartPolicy="Never")),
    "mount path": (mount(mountPath="/data"), mount(mountPath="/a:b")),
    "sub path": (mount(subPath="a/b"), mount(subPath="a/../b")),
    "absolute sub path": (mount(subPath="a"), mount(subPath="/a")),
    "two sub paths": (mount(subPathExpr="$(A)"), mount(subPathExpr="$(A)", subPath="a")),
    "read only all the way": (
        mount(recursiveReadOnly="Enabled", readOnly=True),
        mount(recursiveReadOnly="Enabled"),
    ),
    "propagation": (mount(mountPropagation="HostToContainer"), mount(mountPropagation="Bidirectional")),
    "privileges": (
        container(securityContext={"privileged": True}),
        container(securityContext={"privileged": True, "allowPrivilegeEscalation": False}),
    ),
    "profile": (
        container(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"}}),
        container(securityContext={"seccompProfile": {"type": "Localhost"}}),
    ),
    "source of a variable": (
        variable(fieldRef={"fieldPath": "metadata.name"}),
        variable(fieldRef={"fieldPath": "metadata.name"}, secretKeyRef={"name": "s", "key": "k"}),
    ),
    "field path": (variable(fieldRef={"fieldPath": "metadata.labels['a']"}), variable(fieldRef={"fieldPath": "name"})),
    "resource of a variable": (
        variable(resourceFieldRef={"resource": "limits.cpu"}),
        variable(resourceFieldRef={"resource": "cpu"}),
    ),
    "divisor": (
        variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "1m"}),
        variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "1 m"}),
    ),
    "key": (
        variable(secretKeyRef={"name": "s", "key": "tls.crt"}),
        variable(secretKeyRef={"name": "s", "key": "a/b"}),
    ),
    "name of a secret": (
        variable(secretKeyRef={"name": "s", "key": "k"}),
        variable(secretKeyRef={"name": "my_secret", "key": "k"}),
    ),
    "source of variables": (
        container(envFrom=[{"secretRef": {"name": "s"}}]),
        container(envFrom=[{"secretRef": {"name": "s"}, "configMapRef": {"name": "s"}}]),
    ),
    "size limit": (volume(emptyDir={"sizeLimit": "1Gi"}), volume(emptyDir={"sizeLimit": "1GB"})),
    "size limit below zero": (volume(emptyDir={"sizeLimit": "1Gi"}), volume(emptyDir={"sizeLimit": "-1"})),
    "medium": (volume(emptyDir={"medium": "Memory"}), volume(emptyDir={"medium": "memory"})),
    "overhead": (pod(overhead={"cpu": "1"}), pod(overhead={"cpu": "one"})),
    "file of a secret": (
        volume(secret={"secretName": "s", "items": [ITEM]}),
        volume(secret={"secretName": "s", "items": [{"key": "k", "path": "../p"}]}),
    ),
    "mode": (
        volume(configMap={"name": "c", "defaultMode": 0o644}),
        volume(configMap={"name": "c", "defaultMode": 644}),
    ),
    "claim": (
        volume(persistentVolumeClaim={"claimName": "data"}),
        volume(persistentVolumeClaim={"claimName": "Data"}),
    ),
    "host path": (volume(hostPath={"path": "/a", "type": "File"}), volume(hostPath={"path": "/a", "type": "file"})),
    "host path upwards": (volume(hostPath={"path": "/a"}), volume(hostPath={"path": "/a/../b"})),
    "nfs": (volume(nfs={"server": "s", "path": "/p"}), volume(nfs={"server": "s", "path": "p"})),
    "downward file": (
        volume(downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}),
        volume(downwardAPI={"items": [{"path": "p"}]}),
    ),
    "projected": (projected(secret={"name": "s"}), projected(secret={"name": "s"}, configMap={"name": "s"})),
    "token": (
        projected(serviceAccountToken={"path": "t", "expirationSeconds": 600}),
        projected(serviceAccountToken={"path": "t", "expirationSeconds": 60}),
    ),
    "access mode": (
        volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}}),
        volume(ephemeral={"volumeClaimTemplate": {"spec": {**CLAIM, "accessModes": ["RWO"]}}}),
    ),
    "no node selector term": (node_terms([TERM]), node_terms([])),
    "an empty node selector term": (node_terms([TERM]), node_terms([{}])),
    "topology key": (pod_term(), pod_term(topologyKey="")),
    "label operator": (
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}),
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["b"]}]}),
    ),
    "label values": (
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
    ),
    "spread": (spread(), spread(maxSkew=0)),
    "spread over few": (spread(minDomains=2), spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")),
    "key of a toleration": (toleration(), toleration(key="gpu!")),
    "toleration of all": (toleration(key=""), toleration(key="", operator="Equal")),
    "seconds of a toleration": (
        toleration(effect="NoExecute", tolerationSeconds=3),
        toleration(tolerationSeconds=3),
    ),
    "hostname": (pod(hostname="a"), pod(hostname="a.b")),
    "host alias": (pod(hostAliases=[{"ip": "::1", "hostnames": ["a.b"]}]), pod(hostAliases=[{"ip": "localhost"}])),
    "name servers": (pod(dnsConfig={"nameservers": ["1.1.1.1"]}), pod(dnsConfig={"nameservers": ["1.1.1.1"] * 4})),
    "no name server": (
        pod(dnsPolicy="None", dnsConfig={"nameservers": ["1.1.1.1"]}),
        pod(dnsPolicy="None"),
    ),
    "processes": (pod(shareProcessNamespace=True), pod(shareProcessNamespace=True, hostPID=True)),
    "user": (pod(securityContext={"runAsUser": 1000}), pod(securityContext={"runAsUser": -1})),
    "sysctl": (
        pod(securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}),
        pod(securityContext={"sysctls": [{"name": "Net", "value": "1"}]}),
    ),
    "image": (container(image="host:5000/team/tool:1"), container(image="docker://tool")),
    "image in lower case": (container(image="team/tool:V1"), container(image="Team/Tool")),
    "quantity of a claim": (
        volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}}),
        volume(ephemeral={"volumeClaimTemplate": {"spec": {**CLAIM, "resources": {"requests": {"storage": "1 GB"}}}}}),
    ),
    "quantity of the whole pod": (
        pod(resources={"requests": {"cpu": "1"}}),
        pod(resources={"requests": {"cpu": "one"}}),
    ),
    "name of a resource": (amounts("example.com/tool", "2"), amounts("gpu", "2")),
    "whole resource": (amounts("nvidia.com/gpu", "1"), amounts("nvidia.com/gpu", "500m")),
    "name of a variable": (
        container(env=[{"name": "a.b-c", "value": "1"}]),
        container(env=[{"name": "..a", "value": "1"}]),
    ),
    "value of a toleration": (
        toleration(operator="Equal", value="yes"),
        toleration(operator="Equal", value="yes, please"),
    ),
    "selected label": (
        pod_term(labelSelector={"matchLabels": {"a": "b"}}),
        pod_term(labelSelector={"matchLabels": {"a": "b c"}}),
    ),
    "key of a selected label": (
        pod_term(labelSelector={"matchLabels": {"a.b/c": "d"}}),
        pod_term(labelSelector={"matchLabels": {"a b": "d"}}),
    ),
    "values of a selected label": (
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}),
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c d"]}]}),
    ),
    "sysctl once": (
        sysctls("net.core.somaxconn", "kernel.sem"),
        sysctls("net.core.somaxconn", "net/core/somaxconn"),
    ),
    "sysctl of the node's network": (
        sysctls("net.core.somaxconn", hostNetwork=False),
        sysctls("net.core.somaxconn", hostNetwork=True),
    ),
    "sysctl of the node's memory": (
        sysctls("kernel.shmmax", hostNetwork=True),
        sysctls("kernel.shmmax", hostIPC=True),
    ),
    "host port once": (
        container(ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 81}]),
        container(ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]),
    ),
    "host port of two protocols": (
        container(
            ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80, "protocol": "UDP"}]
        ),
        container(
            ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80, "protocol": "TCP"}]
        ),
    ),
    "sleep before the stop": (
        pod(terminationGracePeriodSeconds=9, container={"lifecycle": {"preStop": {"sleep": {"seconds": 9}}}}),
        container(lifecycle={"preStop": {"sleep": {"seconds": 9}}}),
    ),
    "field of a variable": (
        variable(fieldRef={"fieldPath": "metadata.annotations['a/b']"}),
        variable(fieldRef={"fieldPath": "metadata.annotations"}),
    ),
    "key of a field": (
        variable(fieldRef={"fieldPath": "metadata.labels['a']"}),
        variable(fieldRef={"fieldPath": "metadata.labels['a b']"}),
    ),
    "field of a file": (
        downward(fieldRef={"fieldPath": "metadata.annotations"}),
        downward(fieldRef={"fieldPath": "status.podIP"}),
    ),
    "field of a projected file": (
        projected(downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
        projected(downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "spec.nodeName"}}]}),
    ),
    "container of a resource": (
        variable(resourceFieldRef={"resource": "limits.cpu", "containerName": "base"}),
        variable(resourceFieldRef={"resource": "limits.cpu", "containerName": "other"}),
    ),
    "container of a file's resource": (
        downward(resourceFieldRef={"resource": "limits.cpu", "containerName": "base"}),
        downward(resourceFieldRef={"resource": "limits.cpu"}),
    ),
    "unit of a resource": (
        variable(resourceFieldRef={"resource": "limits.memory", "divisor": "1Mi"}),
        variable(resourceFieldRef={"resource": "limits.memory", "divisor": "2Mi"}),
    ),
    "unit of the cpu": (
        variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "1m"}),
        variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "1k"}),
    ),
    "root": (
        pod(securityContext={"runAsNonRoot": True, "runAsUser": 0}, container={"securityContext": {"runAsUser": 9}}),
        pod(securityContext={"runAsNonRoot": True}, container={"securityContext": {"runAsUser": 0}}),
    ),
    "capability": (
        container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        container(securityContext={"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": False}),
    ),
    "device": (device("persistentVolumeClaim", claimName="c"), device("emptyDir")),
    "device of a volume": (
        device("persistentVolumeClaim", claimName="c"),
        container(volumeDevices=[{"name": "v", "devicePath": "/v"}]),
    ),
    "device at a path": (
        device("persistentVolumeClaim", claimName="c"),
        device("persistentVolumeClaim", claimName="c", volumeMounts=[{"name": "w", "mountPath": "/dev/v"}]),
    ),
    "volume once": (
        device("persistentVolumeClaim", claimName="c"),
        device("persistentVolumeClaim", claimName="c", volumeMounts=[{"name": "v", "mountPath": "/v"}]),
    ),
    "claim that there is": (
        claims({"name": "c"}, {"name": "c", "request": "r"}),
        claims({"name": "d"}),
    ),
    "claim once": (claims({"name": "c"}), claims({"name": "c"}, {"name": "c"})),
    "resizing": (
        container(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "NotRequired"}]),
        container(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]),
    ),
    "spread once": (
        pod(topologySpreadConstraints=[SPREAD, {**SPREAD, "topologyKey": "host"}]),
        pod(topologySpreadConstraints=[SPREAD, {**SPREAD, "maxSkew": 2}]),
    ),
    "keys of a spread": (
        spread(matchLabelKeys=["a"], labelSelector={"matchLabels": {"a": "b"}}),
        spread(matchLabelKeys=["a"]),
    ),
    "priority": (pod(priority=0), pod(priority=5)),
    "claim of a resource": (
        pod(resourceClaims=[{"name": "c", "resourceClaimName": "x"}]),
        pod(resourceClaims=[{"name": "c"}]),
    ),
}


def found(data: dict[str, Any]) -> list[str]:
    from airflow_armada.api import submit_pb2

    item = submit_pb2.JobSubmitRequestItem(namespace="default", pod_spec=pod_spec_from_dict(data))
    return [str(problem) for problem in problems(item, "q", "s")]


@pytest.mark.parametrize("case", CASES)
def test_what_keeps_a_rule_passes(case: str) -> None:
    assert found(CASES[case][0]) == []


@pytest.mark.parametrize("case", CASES)
def test_what_breaks_a_rule_is_told(case: str) -> None:
    assert len(found(CASES[case][1])) == 1, found(CASES[case][1])


@pytest.mark.parametrize(("message", "field"), WORDS)
def test_every_word_is_known_and_no_other(message: str, field: str) -> None:
    from airflow_armada.jobs.checks.fields import _message_problems

    cls = _class(message)
    for word in (*WORDS[message, field], "nonsense", WORDS[message, field][0].swapcase()):
        value = [word] if field == "accessModes" else word
        data = message_from_dict(cls, {field: value}, "m")
        texts = [str(one) for one in _message_problems(data, "m") if f"m.{field}" in one.path and "one of" in one.rule]
        assert bool(texts) == (word not in WORDS[message, field]), texts


def _class(name: str) -> Any:
    from airflow_armada.api import meta_v1_pb2

    return getattr(core_v1_pb2, name, None) or getattr(meta_v1_pb2, name)


@pytest.mark.parametrize(("message", "field"), [*WORDS, *NUMBERS, *SYNTAX])
def test_the_tables_name_fields_that_there_are(message: str, field: str) -> None:
    assert field in _class(message).DESCRIPTOR.fields_by_name


@pytest.mark.parametrize("table", [REQUIRED, ONE_OF])
def test_the_tables_of_messages_name_fields_that_there_are(table: Any) -> None:
    for message, fields in table.items():
        assert set(fields) <= set(_class(message).DESCRIPTOR.fields_by_name), message


def test_the_right_spelling_is_told() -> None:
    assert found(pod(restartPolicy="never")) == [
        "podSpec.restartPolicy: must be one of Always, OnFailure, Never, got 'never'; write Never"
    ]


def quantities(descriptor: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The ways from a kind of message to all quantities that it can hold."""
    if descriptor.full_name == QUANTITY:
        yield path
        return
    for field in descriptor.fields:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            kind = kind.fields_by_name["value"].message_type
        if kind is not None and descriptor.name != "EphemeralContainer":
            yield from quantities(kind, (*path, field.name))


def put(message: Any, path: tuple[str, ...], text: str) -> None:
    """Set a quantity, with all that is around it."""
    for name in path:
        field = message.DESCRIPTOR.fields_by_name[name]
        if is_map(field):
            message = getattr(message, name)["cpu"]
        elif is_repeated(field):
            parts = getattr(message, name)
            message = parts[0] if parts else parts.add()
        else:
            message = getattr(message, name)
    message.string = text


@pytest.mark.parametrize("path", list(quantities(core_v1_pb2.PodSpec.DESCRIPTOR)), ids=".".join)
def test_a_quantity_is_looked_at_wherever_there_is_one(path: tuple[str, ...]) -> None:
    from airflow_armada.api import submit_pb2

    item = submit_pb2.JobSubmitRequestItem(namespace="default", pod_spec=pod_spec_from_dict(pod()))
    put(item.pod_spec, path, "1 GB")

    assert any(one.rule == "must be a quantity such as 500m, 2 or 1Gi" for one in problems(item, "q", "s"))
