"""The short form, alone and laid over a base."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.build import build, build_request, main_pod_spec
from airflow_armada.jobs.checks.check import problems
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.jobs.kubernetes.convert import message_to_dict
from airflow_armada.jobs.problems import InvalidJob

ONE = {"cpu": "1", "memory": "1Gi"}
FULL = {"requests": ONE, "limits": ONE}


def built(**arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = message_to_dict(build(**arguments))
    return result


def pod(**arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = built(image="alpine", **arguments)["podSpec"]
    return result


def container(**arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = pod(**arguments)["containers"][0]
    return result


def base(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "alpine", "resources": FULL, **fields}]}


def test_an_image_is_enough() -> None:
    item = build(image="alpine")
    assert problems(item, "q", "s") == []
    assert message_to_dict(item) == {
        "namespace": "default",
        "podSpec": {"containers": [{"name": "base", "image": "alpine", "resources": FULL}]},
    }


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        ({"cmds": ["sh", "-c"]}, "command", ["sh", "-c"]),
        ({"arguments": ["a", 5, 1.5]}, "args", ["a", "5", "1.5"]),
        ({"env_vars": {"A": "x", "B": 2}}, "env", [{"name": "A", "value": "x"}, {"name": "B", "value": "2"}]),
        ({"env_vars": [{"name": "A", "value": "x"}]}, "env", [{"name": "A", "value": "x"}]),
        (
            {"env_vars": {"P": {"secretKeyRef": {"name": "db", "key": "k"}}}},
            "env",
            [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}],
        ),
        ({"env_from": [{"secretRef": {"name": "s"}}]}, "envFrom", [{"secretRef": {"name": "s"}}]),
        ({"container_resources": ONE}, "resources", FULL),
        ({"container_resources": {"limits": ONE}}, "resources", FULL),
        ({"container_resources": {"cpu": 2}}, "resources", {"limits": {"cpu": "2"}, "requests": {"cpu": "2"}}),
        ({"ports": [80, "81"]}, "ports", [{"containerPort": 80}, {"containerPort": 81}]),
        ({"ports": [{"containerPort": 80, "name": "h"}]}, "ports", [{"name": "h", "containerPort": 80}]),
        (
            {"volume_mounts": [{"name": "v", "mountPath": "/v"}]},
            "volumeMounts",
            [{"name": "v", "mountPath": "/v"}],
        ),
        ({"working_dir": "/w"}, "workingDir", "/w"),
        ({"image_pull_policy": "Always"}, "imagePullPolicy", "Always"),
        ({"container_security_context": {"runAsUser": 0}}, "securityContext", {"runAsUser": 0}),
        ({"termination_message_policy": "File"}, "terminationMessagePolicy", "File"),
        ({"secrets": ["db"]}, "envFrom", [{"secretRef": {"name": "db"}}]),
        ({"configmaps": ["c"]}, "envFrom", [{"configMapRef": {"name": "c"}}]),
        (
            {"configmaps": [{"name": "c", "prefix": "C_", "optional": True}]},
            "envFrom",
            [{"prefix": "C_", "configMapRef": {"name": "c", "optional": True}}],
        ),
        (
            {"secrets": [{"name": "db", "env": {"PASSWORD": "pw"}}]},
            "env",
            [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}],
        ),
        (
            {"secrets": [{"name": "db", "mount_path": "/db"}]},
            "volumeMounts",
            [{"name": "armada-secret-0", "readOnly": True, "mountPath": "/db"}],
        ),
    ],
)
def test_arguments_for_the_container(arguments: dict[str, Any], field: str, value: Any) -> None:
    assert container(**arguments)[field] == value


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, "volumes", [{"name": "v", "emptyDir": {}}]),
        ({"node_selector": {"pool": "a", "n": 1}}, "nodeSelector", {"n": "1", "pool": "a"}),
        ({"affinity": {"podAffinity": {}}}, "affinity", {"podAffinity": {}}),
        ({"tolerations": [{"key": "a", "operator": "Exists"}]}, "tolerations", [{"key": "a", "operator": "Exists"}]),
        ({"security_context": {"runAsNonRoot": True}}, "securityContext", {"runAsNonRoot": True}),
        ({"service_account_name": "me"}, "serviceAccountName", "me"),
        ({"image_pull_secrets": ["a", {"name": "b"}]}, "imagePullSecrets", [{"name": "a"}, {"name": "b"}]),
        ({"hostname": "db-0"}, "hostname", "db-0"),
        ({"subdomain": "db"}, "subdomain", "db"),
        (
            {"host_aliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}]},
            "hostAliases",
            [{"ip": "10.0.0.1", "hostnames": ["db"]}],
        ),
        ({"hostnetwork": "True"}, "hostNetwork", True),
        ({"dnspolicy": "Default"}, "dnsPolicy", "Default"),
        ({"dns_config": {"nameservers": ["10.0.0.2"]}}, "dnsConfig", {"nameservers": ["10.0.0.2"]}),
        ({"runtime_class_name": "gvisor"}, "runtimeClassName", "gvisor"),
        ({"automount_service_account_token": False}, "automountServiceAccountToken", False),
        ({"termination_grace_period_seconds": "30"}, "terminationGracePeriodSeconds", 30),
        ({"termination_grace_period_seconds": 0}, "terminationGracePeriodSeconds", 0),
        ({"active_deadline_seconds": 60}, "activeDeadlineSeconds", 60),
        ({"priority_class_name": "armada-preemptible"}, "priorityClassName", "armada-preemptible"),
        (
            {"configmaps": [{"name": "c", "mount_path": "/c", "items": {"key": "file"}}]},
            "volumes",
            [{"name": "armada-configmap-0", "configMap": {"name": "c", "items": [{"key": "key", "path": "file"}]}}],
        ),
    ],
)
def test_arguments_for_the_pod(arguments: dict[str, Any], field: str, value: Any) -> None:
    assert pod(**arguments)[field] == value


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        ({"namespace": "prod"}, "namespace", "prod"),
        ({"priority": 5}, "priority", 5),
        ({"priority": "0.5"}, "priority", 0.5),
        ({"labels": {"n": 1}}, "labels", {"n": "1"}),
        ({"annotations": {"a": "b"}}, "annotations", {"a": "b"}),
        ({"client_id": "c"}, "clientId", "c"),
        ({"scheduler": "x"}, "scheduler", "x"),
        (
            {"services": [80, {"type": "Headless", "ports": [81]}]},
            "services",
            [{"ports": [80]}, {"type": "Headless", "ports": [81]}],
        ),
        ({"ingress": [{"ports": [80], "tls_enabled": True}]}, "ingress", [{"ports": [80], "tlsEnabled": True}]),
        ({"fail_fast": True}, "annotations", {"armadaproject.io/failFast": "true"}),
        ({"external_job_uri": "u"}, "externalJobUri", "u"),
        ({"external_job_uri": "u"}, "annotations", {"armadaproject.io/externalJobUri": "u"}),
        (
            {"gang_id": "g", "gang_cardinality": 2, "gang_node_uniformity_label": "rack"},
            "annotations",
            {
                "armadaproject.io/gangCardinality": "2",
                "armadaproject.io/gangId": "g",
                "armadaproject.io/gangNodeUniformityLabel": "rack",
            },
        ),
    ],
)
def test_arguments_for_the_job(arguments: dict[str, Any], field: str, value: Any) -> None:
    assert built(image="alpine", **arguments)[field] == value


def test_further_containers() -> None:
    helper = {"name": "helper", "image": "b"}
    names = [
        each["name"] for each in pod(containers=[helper], init_containers=[helper | {"name": "first"}])["containers"]
    ]
    assert names == ["base", "helper"]
    assert pod(init_containers=[helper])["initContainers"][0]["resources"]["limits"] == {"cpu": "900m", "memory": "1Gi"}


def test_the_kubernetes_providers_secrets() -> None:
    env = SimpleNamespace(deploy_type="env", deploy_target="PASSWORD", secret="db", key="pw", items=None)
    whole = SimpleNamespace(deploy_type="env", deploy_target=None, secret="db", key=None, items=None)
    volume = SimpleNamespace(deploy_type="volume", deploy_target="/db", secret="db", key="pw", items=None)
    made = pod(secrets=[env, whole, volume])
    assert made["containers"][0]["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "pw"}}
    assert made["containers"][0]["envFrom"] == [{"secretRef": {"name": "db"}}]
    assert made["volumes"][0]["secret"] == {"secretName": "db", "items": [{"key": "pw", "path": "pw"}]}


@pytest.mark.parametrize(
    ("resources", "expected", "note"),
    [
        ({}, FULL, "container 'base': no resources given, using cpu 1, memory 1Gi"),
        ({"requests": ONE}, FULL, "container 'base': limits set to the requests (cpu 1, memory 1Gi)"),
        ({"limits": ONE}, FULL, "container 'base': requests set to the limits (cpu 1, memory 1Gi)"),
        (FULL, FULL, None),
    ],
)
def test_resources_are_completed_and_that_is_said(resources: Any, expected: Any, note: str | None) -> None:
    request = build_request(JobSpec(image="alpine", container_resources=resources))
    assert message_to_dict(request.item.pod_spec.containers[0].resources) == expected
    assert request.notes == ([note] if note else [])


def test_the_short_form_is_laid_over_a_base() -> None:
    over = built(
        pod_spec=base(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], args=["old"], tty=True),
        image="python",
        arguments=["new"],
        env_vars={"B": "2", "C": "3"},
    )["podSpec"]["containers"][0]
    assert over == {
        "name": "main",
        "image": "python",
        "args": ["new"],
        "tty": True,
        "resources": FULL,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
    }


def test_lists_of_the_base_are_added_to() -> None:
    spec = base() | {
        "tolerations": [{"key": "a"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"a": "b"},
    }
    made = built(
        pod_spec=spec,
        tolerations=[{"key": "a"}, {"key": "b"}],
        volumes=[{"name": "v", "hostPath": {"path": "/v"}}, {"name": "w"}],
        node_selector={"c": "d"},
    )["podSpec"]
    assert made["tolerations"] == [{"key": "a"}, {"key": "b"}]
    assert made["volumes"] == [{"name": "v", "hostPath": {"path": "/v"}}, {"name": "w"}]
    assert made["nodeSelector"] == {"a": "b", "c": "d"}


def test_a_request_given_alone_replaces_the_limit_of_the_base() -> None:
    made = built(pod_spec=base(), container_resources={"requests": {"cpu": "4"}})
    four = {"cpu": "4", "memory": "1Gi"}
    assert made["podSpec"]["containers"][0]["resources"] == {"requests": four, "limits": four}


@pytest.mark.parametrize(
    ("names", "container_name", "meant"),
    [
        (["a", "b"], "", 0),
        (["a", "base"], "", 1),
        (["a", "b"], "b", 1),
        (["a", "b"], "c", 2),
        ([], "c", 0),
    ],
)
def test_which_container_the_short_form_means(names: list[str], container_name: str, meant: int) -> None:
    spec = {"containers": [{"name": name, "image": "old"} for name in names]}
    made = build(pod_spec=spec, container_name=container_name, image="new").pod_spec
    assert made.containers[meant].image == "new"
    assert [each.image for each in made.containers].count("new") == 1


def test_a_zero_is_laid_over_a_base_like_any_other_value() -> None:
    job = {"priority": 5.0, "podSpec": base() | {"hostNetwork": True, "terminationGracePeriodSeconds": 30}}
    given = built(job_request=job, priority=0, hostnetwork=False, termination_grace_period_seconds=0)
    assert "priority" not in given, "0, the most urgent, is what the wire leaves out"
    assert given["podSpec"]["hostNetwork"] is False
    assert given["podSpec"]["terminationGracePeriodSeconds"] == 0
    assert built(job_request=job)["priority"] == 5


def test_a_pod_in_a_job() -> None:
    request = build_request(
        JobSpec(
            job_request={
                "queue": "q",
                "jobSetId": "s",
                "jobs": [{"priority": 3, "podSpec": base(), "labels": {"a": "1"}}],
            },
            pod_spec={"metadata": {"labels": {"b": "2"}}, "spec": base(image="other")},
        )
    )
    assert (request.queue, request.job_set_id, request.item.priority) == ("q", "s", 3)
    assert request.item.pod_spec.containers[0].image == "other"
    assert dict(request.item.labels) == {"a": "1", "b": "2"}


def test_a_base_that_uses_pod_specs_keeps_them() -> None:
    item = build(job_request={"podSpecs": [base()]}, image="new")
    assert not item.HasField("pod_spec")
    assert main_pod_spec(item).containers[0].image == "new"


def test_a_namespace_of_the_base_is_kept() -> None:
    assert build(job_request={"namespace": "n", "podSpec": base()}).namespace == "n"


def test_identity_wins_over_what_the_author_says() -> None:
    item = build(
        image="a",
        labels={"dag": "author", "team": "t"},
        annotations={"x": "author"},
        identity_labels={"dag": "airflow"},
        identity_annotations={"x": "airflow"},
    )
    assert dict(item.labels) == {"dag": "airflow", "team": "t"}
    assert dict(item.annotations) == {"x": "airflow"}


def test_context_goes_to_every_container_that_does_not_say_otherwise() -> None:
    item = build(
        image="a",
        env_vars={"A": "author"},
        containers=[{"name": "b", "image": "b"}],
        init_containers=[{"name": "i", "image": "i"}],
        context_env={"A": "airflow", "B": "airflow"},
    )
    values = [
        {variable.name: variable.value for variable in each.env}
        for each in (*item.pod_spec.containers, *item.pod_spec.initContainers)
    ]
    assert values == [{"A": "author", "B": "airflow"}] + [{"A": "airflow", "B": "airflow"}] * 2


def test_messages_as_arguments() -> None:
    toleration = core_v1_pb2.Toleration(key="a", tolerationSeconds=0)
    assert pod(tolerations=[toleration])["tolerations"] == [{"key": "a", "tolerationSeconds": 0}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cmds": "sh"}, "cmds: expected a list, got text"),
        ({"cmds": [["sh"]]}, "cmds[0]: expected text, got a list"),
        ({"env_vars": {"A": True}}, "env_vars['A']: expected text, got true or false; put it in quotes"),
        (
            {"env_vars": {"A": {"secretRef": {}}}},
            "env_vars['A'].secretRef: unknown field; did you mean secretKeyRef?",
        ),
        (
            {"container_resources": {"request": {}, "limits": {}}},
            "container_resources.request: unknown field; did you mean requests?",
        ),
        ({"container_resources": {"cpu": [1]}}, "container_resources.requests['cpu']: expected a quantity"),
        ({"ports": ["http"]}, "ports[0]: expected an object with fields, got text"),
        ({"volumes": [{"name": "v", "emptydir": {}}]}, "volumes[0].emptydir: unknown field; did you mean emptyDir?"),
        ({"secrets": "db"}, "secrets: expected a list; put it in a list"),
        ({"secrets": [{"secret": "db"}]}, "secrets[0]: expected a name, or a mapping with a name"),
        ({"secrets": [{"name": "db", "mount": "/x"}]}, "secrets[0].mount: unknown field; known here: env"),
        ({"secrets": [{"name": "db", "env": ["A"]}]}, "secrets[0].env: expected a mapping of variable name to key"),
        (
            {"configmaps": [{"name": "c", "mount_path": "/c", "items": ["a"]}]},
            "configmaps[0].items: expected a mapping",
        ),
        ({"priority": "high"}, "priority: expected a finite number, got 'high'"),
        ({"fail_fast": "yes"}, "fail_fast: expected True or False, got 'yes'"),
        ({"active_deadline_seconds": "1h"}, "active_deadline_seconds: expected a whole number, got '1h'"),
        ({"ingress": [{"ports": [80], "tls": True}]}, "ingress[0].tls: unknown field"),
        (
            {"services": [{"type": "LoadBalancer", "ports": [1]}]},
            "services[0].type: expected one of NodePort, Headless",
        ),
        ({"pod_spec": {"containers": 1}}, "pod_spec.containers: expected a list"),
        ({"job_request": {"jobs": [{}, {}]}}, "job_request: holds 2 jobs where one is expected"),
    ],
)
def test_mistakes_are_named_by_argument(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        build(**arguments)
    assert message in str(raised.value)


def test_mistakes_of_several_arguments_come_at_once() -> None:
    with pytest.raises(InvalidJob) as raised:
        build(cmds="sh", volumes=3, pod_spec={"a": 1})
    assert {problem.path for problem in raised.value.problems} == {"cmds", "volumes", "pod_spec.a"}


def test_an_argument_that_does_not_exist() -> None:
    with pytest.raises(TypeError, match="imagine"):
        build(imagine="alpine")
