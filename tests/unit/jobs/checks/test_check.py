"""Every rule for jobs, with a job that keeps it and one that breaks it, and what the author of the second one reads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_armada.api import submit_pb2
from airflow_armada.jobs.checks.check import ServerRules, check, problems, request_problems, warnings
from airflow_armada.jobs.kubernetes.convert import message_from_dict
from airflow_armada.jobs.problems import InvalidJob

GANG = {"armadaproject.io/gangId": "g", "armadaproject.io/gangCardinality": "2"}
ONE = {"cpu": "1", "memory": "1Gi"}


def job(**fields: Any) -> dict[str, Any]:
    """A job that is fine, with some fields replaced; ``pod`` and ``container`` lay fields over those parts."""
    container = {"name": "base", "image": "alpine", "resources": {"requests": ONE, "limits": ONE}}
    container |= fields.pop("container", {})
    pod = {"containers": [container], **fields.pop("pod", {})}
    return {"namespace": "default", "podSpec": pod, **fields}


def resources(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    return job(container={"resources": {"requests": requests, "limits": limits}})


def init(cpu: str) -> dict[str, Any]:
    some = {"cpu": cpu, "memory": "1Gi"}
    return job(pod={"initContainers": [{"name": "i", "image": "a", "resources": {"requests": some, "limits": some}}]})


def node_affinity(expression: Any = None, field: Any = None) -> dict[str, Any]:
    term = {"matchExpressions": [expression]} if expression else {"matchFields": [field]}
    required = {"nodeSelectorTerms": [term]}
    return job(pod={"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}})


PREFERRED = [{"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]
TERM = "podSpec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"


def two_containers(**second: Any) -> dict[str, Any]:
    data = job(container={"ports": [{"containerPort": 80}]})
    other = copy.deepcopy(data["podSpec"]["containers"][0]) | {"name": "other", "ports": []} | second
    data["podSpec"]["containers"].append(other)
    return data


def mounted(*mounts: dict[str, Any], volumes: Any = ({"name": "v", "emptyDir": {}},)) -> dict[str, Any]:
    return job(container={"volumeMounts": list(mounts)}, pod={"volumes": list(volumes)})


def big(size: int) -> dict[str, Any]:
    data = job(container={"args": [""]})
    rest = message_from_dict(submit_pb2.JobSubmitRequestItem, data, "job").pod_spec.ByteSize()
    # Three lengths around the argument grow from one byte to three with its size.
    data["podSpec"]["containers"][0]["args"] = ["x" * (size - rest - 4)]
    return data


# rule: (a job that keeps it, a job that breaks it, path, words of the message)
RULES: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "namespace": (job(), job(namespace=""), "namespace", 'is required; set namespace, such as "default"'),
    "namespace syntax": (job(namespace="a-1"), job(namespace="A_b"), "namespace", "write 'a-b', for instance"),
    "a pod": (job(), {"namespace": "n"}, "podSpec", "is required; give an image, or a pod_spec"),
    "one way to give it": (
        {"namespace": "n", "podSpecs": [job()["podSpec"]]},
        job(podSpecs=[job()["podSpec"]]),
        "podSpecs",
        "cannot be given together with podSpec",
    ),
    "one pod": (
        {"namespace": "n", "podSpecs": [job()["podSpec"]]},
        {"namespace": "n", "podSpecs": [job()["podSpec"]] * 2},
        "podSpecs",
        "a job has exactly one pod, got 2",
    ),
    "size": (
        big(65_407),
        big(65_408),
        "podSpec",
        "must be at most 65407 bytes, so that with what the server adds",
    ),
    "node labels": (
        job(pod={"nodeSelector": {"a": "b"}}),
        job(requiredNodeLabels={"a": "b"}),
        "requiredNodeLabels",
        "the server ignores this field without a word; use nodeSelector in the pod spec, or node_selector",
    ),
    "pull policy": (
        job(container={"imagePullPolicy": "Always"}),
        job(container={"imagePullPolicy": "always"}),
        "podSpec.containers[0].imagePullPolicy",
        "must be one of Always, IfNotPresent, Never, got 'always'; write Always",
    ),
    "protocol": (
        job(container={"ports": [{"containerPort": 1, "protocol": "UDP"}]}),
        job(container={"ports": [{"containerPort": 1, "protocol": "HTTP"}]}),
        "podSpec.containers[0].ports[0].protocol",
        "must be one of TCP, UDP, SCTP, got 'HTTP'",
    ),
    "toleration effect": (
        job(pod={"tolerations": [{"operator": "Exists", "effect": "NoExecute"}]}),
        job(pod={"tolerations": [{"operator": "Exists", "effect": "noexecute"}]}),
        "podSpec.tolerations[0].effect",
        "must be one of NoSchedule, PreferNoSchedule, NoExecute, got 'noexecute'; write NoExecute",
    ),
    "DNS policy": (
        job(pod={"dnsPolicy": "Default"}),
        job(pod={"dnsPolicy": "Cluster"}),
        "podSpec.dnsPolicy",
        "must be one of ClusterFirst, ClusterFirstWithHostNet, Default, None, got 'Cluster'",
    ),
    "no preferred node affinity": (
        job(pod={"affinity": {"podAffinity": {}}}),
        job(pod={"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": PREFERRED}}}),
        "podSpec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution",
        "Armada does not support preferred node affinity; use required",
    ),
    "affinity operator": (
        node_affinity({"key": "a", "operator": "In", "values": ["b"]}),
        node_affinity({"key": "a", "operator": "Is", "values": ["b"]}),
        f"{TERM}.matchExpressions[0].operator",
        "must be In, NotIn, Exists, DoesNotExist, Gt or Lt, got 'Is'",
    ),
    "affinity values": (
        node_affinity({"key": "a", "operator": "NotIn", "values": ["b", "c"]}),
        node_affinity({"key": "a", "operator": "NotIn"}),
        f"{TERM}.matchExpressions[0].values",
        "operator NotIn needs at least one value",
    ),
    "affinity without values": (
        node_affinity({"key": "a", "operator": "Exists"}),
        node_affinity({"key": "a", "operator": "Exists", "values": ["b"]}),
        f"{TERM}.matchExpressions[0].values",
        "operator Exists takes no values",
    ),
    "affinity number": (
        node_affinity({"key": "a", "operator": "Gt", "values": ["3"]}),
        node_affinity({"key": "a", "operator": "Gt", "values": ["three"]}),
        f"{TERM}.matchExpressions[0].values",
        "operator Gt needs one whole number",
    ),
    "affinity key": (
        node_affinity({"key": "example.com/a", "operator": "Exists"}),
        node_affinity({"key": "a b", "operator": "Exists"}),
        f"{TERM}.matchExpressions[0].key",
        "must be a name of letters",
    ),
    "affinity value syntax": (
        node_affinity({"key": "a", "operator": "In", "values": [""]}),
        node_affinity({"key": "a", "operator": "In", "values": ["b c"]}),
        f"{TERM}.matchExpressions[0].values[0]",
        "must be empty, or letters",
    ),
    "affinity field key": (
        node_affinity(field={"key": "metadata.name", "operator": "In", "values": ["n"]}),
        node_affinity(field={"key": "metadata.labels", "operator": "In", "values": ["n"]}),
        f"{TERM}.matchFields[0].key",
        "must be metadata.name, got 'metadata.labels'; use matchExpressions for labels",
    ),
    "affinity field operator": (
        node_affinity(field={"key": "metadata.name", "operator": "In", "values": ["n"]}),
        node_affinity(field={"key": "metadata.name", "operator": "Exists"}),
        f"{TERM}.matchFields[0].operator",
        "must be In or NotIn for fields",
    ),
    "affinity field value": (
        node_affinity(field={"key": "metadata.name", "operator": "NotIn", "values": ["n"]}),
        node_affinity(field={"key": "metadata.name", "operator": "NotIn", "values": ["n", "m"]}),
        f"{TERM}.matchFields[0].values",
        "must be exactly one value for fields",
    ),
    "some resources": (
        resources({"cpu": 1}, {"cpu": 1}),
        resources({}, {}),
        "podSpec.containers[0].resources",
        "needs requests and limits; set container_resources",
    ),
    "limits for requests": (
        resources({"cpu": 1, "memory": "1Gi"}, {"cpu": 1, "memory": "1Gi"}),
        resources({"cpu": 1, "memory": "1Gi"}, {"cpu": 1}),
        "podSpec.containers[0].resources.limits['memory']",
        "is missing, but requests have it; set it to 1Gi",
    ),
    "requests for limits": (
        resources({"cpu": 1}, {"cpu": 1}),
        resources({"cpu": 1}, {"cpu": 1, "nvidia.com/gpu": 1}),
        "podSpec.containers[0].resources.requests['nvidia.com/gpu']",
        "is missing, but limits have it; set it to 1",
    ),
    "same keys": (
        resources({"cpu": 1}, {"cpu": 1}),
        resources({"cpu": 1}, {"memory": "1Gi"}),
        "podSpec.containers[0].resources.limits['cpu']",
        "is missing",
    ),
    "no negative requests": (
        resources({"cpu": 0}, {"cpu": 0}),
        resources({"cpu": -1}, {"cpu": -1}),
        "podSpec.containers[0].resources.requests['cpu']",
        "must not be negative, got -1",
    ),
    "no negative limits": (
        resources({"cpu": 0}, {"cpu": 0}),
        resources({"cpu": 1}, {"cpu": "-500m"}),
        "podSpec.containers[0].resources.limits['cpu']",
        "must not be negative, got -500m",
    ),
    "limits not below requests": (
        resources({"cpu": "1"}, {"cpu": "1000m"}),
        resources({"cpu": "2"}, {"cpu": "1"}),
        "podSpec.containers[0].resources.limits['cpu']",
        "must equal the request, 2, got 1; set both to the same quantity",
    ),
    "limits not above requests": (
        resources({"memory": "1Gi"}, {"memory": "1024Mi"}),
        resources({"memory": "1Gi"}, {"memory": "2Gi"}),
        "podSpec.containers[0].resources.limits['memory']",
        "must equal the request, 1Gi, got 2Gi",
    ),
    "least memory": (
        resources({"memory": "1Mi"}, {"memory": "1Mi"}),
        resources({"memory": "512"}, {"memory": "512"}),
        "podSpec.containers[0].resources.requests['memory']",
        "must be at least 1Mi, got 512; write 512Mi for mebibytes",
    ),
    "quantities": (
        resources({"memory": "1.5e9"}, {"memory": "1500M"}),
        resources({"memory": "2GB"}, {"memory": "2GB"}),
        "podSpec.containers[0].resources.requests['memory']",
        "must be a quantity such as 500m, 2 or 1Gi, got '2GB'; write 2G",
    ),
    "resource names": (
        resources({"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 1}),
        resources({"my gpu": 1}, {"my gpu": 1}),
        "podSpec.containers[0].resources.requests['my gpu']",
        "a resource name must be",
    ),
    "fractional cpu in init containers": (
        init("900m"),
        init("1"),
        "podSpec.initContainers[0].resources.requests['cpu']",
        "an init container must ask for a fraction of a cpu, got 1; write 900m",
    ),
    "resources of init containers": (
        init("0"),
        job(pod={"initContainers": [{"name": "i", "image": "a"}]}),
        "podSpec.initContainers[0].resources",
        "needs requests and limits",
    ),
    "priority class": (
        job(pod={"priorityClassName": "armada-preemptible"}),
        job(pod={"priorityClassName": "Urgent"}),
        "podSpec.priorityClassName",
        "must be lower-case letters",
    ),
    "least grace": (
        job(pod={"terminationGracePeriodSeconds": 0}),
        job(pod={"terminationGracePeriodSeconds": -1}),
        "podSpec.terminationGracePeriodSeconds",
        "must be from 1 to 300 seconds, or left out, got -1",
    ),
    "most grace": (
        job(pod={"terminationGracePeriodSeconds": 300}),
        job(pod={"terminationGracePeriodSeconds": 301}),
        "podSpec.terminationGracePeriodSeconds",
        "must be from 1 to 300 seconds",
    ),
    "deadline": (
        job(pod={"activeDeadlineSeconds": 1}),
        job(pod={"activeDeadlineSeconds": 0}),
        "podSpec.activeDeadlineSeconds",
        "must be from 1 to 2147483647 seconds, or left out, got 0; without it the server sets 72 hours",
    ),
    "ingress ports": (
        job(container={"ports": [{"containerPort": 80}]}, ingress=[{"ports": [80]}]),
        job(ingress=[{"ports": []}]),
        "ingress[0].ports",
        "needs at least one port",
    ),
    "a port in one ingress": (
        job(container={"ports": [{"containerPort": 80}]}, ingress=[{"ports": [80]}]),
        job(container={"ports": [{"containerPort": 80}]}, ingress=[{"ports": [80]}, {"ports": [80]}]),
        "ingress[1].ports",
        "ingress[0] has this port already",
    ),
    "a declared port": (
        job(container={"ports": [{"containerPort": 80}]}, services=[{"ports": [80]}]),
        job(services=[{"ports": [80]}]),
        "services[0].ports",
        "no container declares this port, got 80; add 80 to the ports of the container",
    ),
    "service ports": (
        job(container={"ports": [{"containerPort": 80}]}, services=[{"type": "Headless", "ports": [80]}]),
        job(services=[{"type": "Headless"}]),
        "services[0].ports",
        "needs at least one port",
    ),
    "container ports": (
        two_containers(ports=[{"containerPort": 81}]),
        two_containers(ports=[{"containerPort": 80}]),
        "podSpec.containers[1].ports[0].containerPort",
        "container 'base' has this port already; a pod may have it once, got 80",
    ),
    "port numbers": (
        job(container={"ports": [{"containerPort": 65_535}]}),
        job(container={"ports": [{"containerPort": 65_536}]}),
        "podSpec.containers[0].ports[0].containerPort",
        "must be from 1 to 65535",
    ),
    "client id": (
        job(clientId="ü" * 50),
        job(clientId="ü" * 51),
        "clientId",
        "must be at most 100 bytes, got 102 bytes",
    ),
    "price band": (
        job(annotations={"armadaproject.io/priceBand": "h"}),
        job(annotations={"armadaproject.io/priceBand": "None"}),
        "annotations['armadaproject.io/priceBand']",
        "must be a letter from A to H, got 'None'",
    ),
    "priority": (job(priority=0.5), job(priority=-1), "priority", "must be from 0 to 4294967295; the server would"),
    "gang id": (
        job(annotations=GANG),
        job(annotations=GANG | {"armadaproject.io/gangId": ""}),
        "annotations['armadaproject.io/gangId']",
        "must not be empty; set gang_id",
    ),
    "gang without id": (
        job(),
        job(annotations={"armadaproject.io/gangCardinality": "2"}),
        "annotations['armadaproject.io/gangId']",
        "is missing, but other gang settings are there",
    ),
    "gang cardinality": (
        job(annotations=GANG),
        job(annotations={"armadaproject.io/gangId": "g"}),
        "annotations['armadaproject.io/gangCardinality']",
        "must be the number of jobs in the gang, a whole number above 0; set gang_cardinality",
    ),
    "gang cardinality above 0": (
        job(annotations=GANG | {"armadaproject.io/gangCardinality": "1"}),
        job(annotations=GANG | {"armadaproject.io/gangCardinality": "0"}),
        "annotations['armadaproject.io/gangCardinality']",
        "must be the number of jobs in the gang",
    ),
    "gang cardinality is a number": (
        job(annotations=GANG | {"armadaproject.io/gangCardinality": "+3"}),
        job(annotations=GANG | {"armadaproject.io/gangCardinality": "3.0"}),
        "annotations['armadaproject.io/gangCardinality']",
        "got 3.0",
    ),
    "gangs fail fast": (
        job(annotations=GANG | {"armadaproject.io/failFast": "true"}),
        job(annotations=GANG | {"armadaproject.io/failFast": "false"}),
        "annotations['armadaproject.io/failFast']",
        "a gang must fail fast, got false; leave fail_fast out",
    ),
    "containers": (
        job(),
        job(pod={"containers": []}),
        "podSpec.containers",
        "needs at least one container; give an image",
    ),
    "image": (job(), job(container={"image": ""}), "podSpec.containers[0].image", "is required"),
    "image name": (job(), job(container={"image": "a "}), "podSpec.containers[0].image", "must not begin or end"),
    "container name": (
        job(container={"name": "a-1"}),
        job(container={"name": "My_Job"}),
        "podSpec.containers[0].name",
        "got 'My_Job'; write 'my-job', for instance",
    ),
    "names apart": (
        two_containers(),
        two_containers(name="base"),
        "podSpec.containers[1].name",
        "another container has this name, got 'base'; rename it",
    ),
    "env names": (
        job(container={"env": [{"name": "MY.VAR-1", "value": "x"}]}),
        job(container={"env": [{"name": "1 VAR", "value": "x"}]}),
        "podSpec.containers[0].env[0].name",
        "must be letters, digits",
    ),
    "env value or source": (
        job(container={"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
        job(container={"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {}}}]}),
        "podSpec.containers[0].env[0]",
        "has both a value and a source of it",
    ),
    "env source": (
        job(container={"env": [{"name": "A", "value": ""}]}),
        job(container={"env": [{"name": "A", "valueFrom": {}}]}),
        "podSpec.containers[0].env[0].valueFrom",
        "must have exactly one of fieldRef",
    ),
    "labels": (
        job(labels={"example.com/team": "a.b-c_1", "id": "j-{JobId}"}),
        job(labels={"team": "a b"}),
        "labels['team']",
        "got 'a b'; write 'a-b', or make it an annotation",
    ),
    "label keys": (job(labels={"a/b": ""}), job(labels={"a/b/c": ""}), "labels['a/b/c']", "a label key must be"),
    "annotation keys": (
        job(annotations={"Example.com/a": "any text"}),
        job(annotations={"a b": ""}),
        "annotations['a b']",
        "an annotation key must be",
    ),
    "annotation size": (
        job(annotations={"a": "x" * 262_143}),
        job(annotations={"a": "x" * 262_144}),
        "annotations",
        "must be at most 262144 bytes altogether",
    ),
    "node selector": (
        job(pod={"nodeSelector": {"kubernetes.io/arch": "amd64"}}),
        job(pod={"nodeSelector": {"pool": "a/b"}}),
        "podSpec.nodeSelector['pool']",
        "a label value must be",
    ),
    "toleration operator": (
        job(pod={"tolerations": [{"key": "a", "operator": "Equal", "value": "b"}]}),
        job(pod={"tolerations": [{"key": "a", "operator": "exists"}]}),
        "podSpec.tolerations[0].operator",
        "must be Equal or Exists",
    ),
    "toleration value": (
        job(pod={"tolerations": [{"operator": "Exists"}]}),
        job(pod={"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
        "podSpec.tolerations[0].value",
        "must be empty with operator Exists",
    ),
    "mounts": (
        mounted({"name": "v", "mountPath": "/v"}),
        mounted({"name": "w", "mountPath": "/v"}),
        "podSpec.containers[0].volumeMounts[0].name",
        "the pod has no volume of this name, got 'w'; the pod has v",
    ),
    "mount path": (
        mounted({"name": "v", "mountPath": "/v"}),
        mounted({"name": "v"}),
        "podSpec.containers[0].volumeMounts[0].mountPath",
        "is required",
    ),
    "mount paths apart": (
        mounted({"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/w"}),
        mounted({"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}),
        "podSpec.containers[0].volumeMounts[1].mountPath",
        "another volume is mounted there",
    ),
    "volume names": (
        mounted(volumes=[{"name": "v"}]),
        mounted(volumes=[{"name": "V"}]),
        "podSpec.volumes[0].name",
        "write 'v', for instance",
    ),
    "volume names apart": (
        mounted(volumes=[{"name": "v"}, {"name": "w"}]),
        mounted(volumes=[{"name": "v"}, {"name": "v"}]),
        "podSpec.volumes[1].name",
        "another volume has this name",
    ),
    "one source of a volume": (
        mounted(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
        mounted(volumes=[{"name": "v", "hostPath": {"path": "/x"}, "emptyDir": {}}]),
        "podSpec.volumes[0]",
        "must have one kind of source, got hostPath, emptyDir",
    ),
    "no ephemeral containers": (
        job(),
        job(pod={"ephemeralContainers": [{"name": "e", "image": "a"}]}),
        "podSpec.ephemeralContainers",
        "only for pods that run",
    ),
}


def item(data: Mapping[str, Any]) -> submit_pb2.JobSubmitRequestItem:
    return message_from_dict(submit_pb2.JobSubmitRequestItem, data, "job")


@pytest.mark.parametrize("rule", RULES)
def test_a_job_that_keeps_the_rule_passes(rule: str) -> None:
    assert problems(item(RULES[rule][0]), "queue", "job-set") == []


@pytest.mark.parametrize("rule", RULES)
def test_a_job_that_breaks_the_rule_is_refused(rule: str) -> None:
    _, bad, path, words = RULES[rule]
    found = [str(problem) for problem in problems(item(bad), "queue", "job-set") if problem.path == path]
    assert any(words in text for text in found), found


@pytest.mark.parametrize(
    ("queue", "job_set_id", "paths"),
    [
        ("q", "s", []),
        (None, None, []),
        ("", "", ["queue", "jobSetId"]),
        ("q", "s" * 1023, []),
        ("q", "s" * 1024, ["jobSetId"]),
        ("q", "ü" * 512, ["jobSetId"]),
    ],
)
def test_queue_and_job_set(queue: str | None, job_set_id: str | None, paths: list[str]) -> None:
    assert [problem.path for problem in problems(item(job()), queue, job_set_id)] == paths


@pytest.mark.parametrize(
    ("rules", "data", "passes"),
    [
        (ServerRules(priority_classes=frozenset({"urgent"})), job(pod={"priorityClassName": "urgent"}), True),
        (ServerRules(priority_classes=None), job(pod={"priorityClassName": "anything"}), True),
        (ServerRules(priority_classes=frozenset()), job(pod={"priorityClassName": "armada-default"}), False),
        (ServerRules(oversubscription={"cpu": 2.0}), resources({"cpu": 1}, {"cpu": 2}), True),
        (ServerRules(oversubscription={"cpu": 2.0}), resources({"cpu": 1}, {"cpu": 3}), False),
        (ServerRules(oversubscription={"cpu": 2.0}), resources({"cpu": 2}, {"cpu": 1}), False),
        (ServerRules(min_resources={}), resources({"memory": 1}, {"memory": 1}), True),
        (ServerRules(max_pod_spec_bytes=130), job(), False),
        (ServerRules(termination_grace=(10, 20)), job(pod={"terminationGracePeriodSeconds": 9}), False),
        (ServerRules(fractional_init_cpu=False), init("1"), True),
        (ServerRules(restricted_tolerations=frozenset({"a"})), job(pod={"tolerations": [{"key": "a"}]}), False),
        (ServerRules(restricted_tolerations=frozenset({"a"})), job(pod={"tolerations": [{"key": "b"}]}), True),
    ],
)
def test_a_site_has_its_own_rules(rules: ServerRules, data: dict[str, Any], passes: bool) -> None:
    assert (problems(item(data), "q", "s", rules) == []) is passes


def test_an_unknown_priority_class_is_warned_of_unless_the_site_has_said_which_it_has() -> None:
    urgent = item(job(pod={"priorityClassName": "urgent"}))
    (text,) = warnings(urgent)
    assert "'urgent' is not one that Armada ships (armada-default, armada-preemptible, armada-resilient)" in text
    assert warnings(urgent, ServerRules(priority_classes=frozenset({"urgent"}))) == []
    assert warnings(item(job(pod={"priorityClassName": "armada-resilient"}))) == []


def members(**differences: Any) -> list[submit_pb2.JobSubmitRequestItem]:
    return [
        item(job(annotations=GANG)),
        item(job(annotations=GANG | differences.pop("annotations", {}), **differences)),
    ]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (members(), ""),
        (members(annotations={"armadaproject.io/gangId": "other", "armadaproject.io/gangCardinality": "3"}), ""),
        (members(annotations={"armadaproject.io/gangCardinality": "3"}), "all members of gang 'g' must agree, got 3"),
        (members(annotations={"armadaproject.io/gangNodeUniformityLabel": "rack"}), "must agree, got 'rack'"),
        (members(pod={"priorityClassName": "armada-preemptible"}), "must agree, got 'armada-preemptible'"),
    ],
)
def test_members_of_a_gang_agree(items: list[submit_pb2.JobSubmitRequestItem], message: str) -> None:
    found = request_problems(items, "q", "s")
    assert [problem.path.partition(".")[0] for problem in found] == (["jobs[1]"] if message else [])
    assert message in "".join(map(str, found))


def test_everything_is_said_at_once() -> None:
    bad = job(namespace="", container={"image": "", "name": "A"}, pod={"priorityClassName": "X"}, clientId="x" * 101)
    with pytest.raises(InvalidJob) as raised:
        check(item(bad), "", "s")
    assert str(raised.value).startswith("invalid job, 6 problems:\n  - queue: is required")
    assert len(raised.value.problems) == 6
