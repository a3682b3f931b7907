"""The same manifest through the ``kubernetes`` package's models and through YAML gives the same bytes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings

from airflow_armada.api import core_v1_pb2
from airflow_armada.jobs.build import build
from airflow_armada.jobs.job_forms import read_job
from airflow_armada.jobs.kubernetes.convert import pod_spec_to_dict
from airflow_armada.jobs.kubernetes.schema import explain_unknown, json_fields
from airflow_armada.jobs.kubernetes.yaml_text import dump
from airflow_armada.jobs.problems import InvalidJob
from tests.unit.jobs.messages import messages

client = pytest.importorskip("kubernetes.client")

_API = client.ApiClient()
_LIST = re.compile(r"List\[(.+)\]")
_DICT = re.compile(r"Dict\[str, (.+)\]")


class Dropped(Exception):
    """The models cannot hold this."""


def as_model(data: Any, type_name: str) -> Any:
    """A model with the content of JSON; not validated, so that generated content need not make sense."""
    if match := _LIST.fullmatch(type_name):
        return [as_model(entry, match[1]) for entry in data]
    if match := _DICT.fullmatch(type_name):
        return {key: as_model(entry, match[1]) for key, entry in data.items()}
    if type_name == "datetime":
        if re.search(r"\.\d{7,}", data):
            raise Dropped  # Python's times end at microseconds
        return datetime.fromisoformat(data)
    if not type_name.startswith("V1"):
        return data
    model = getattr(client, type_name)
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    if data.keys() - names.keys():
        raise Dropped
    given = {names[key]: as_model(value, model.openapi_types[names[key]]) for key, value in data.items()}
    return model.model_construct(**(dict.fromkeys(model.attribute_map) | given))


def read(value: Any) -> bytes:
    return read_job(value, "pod_spec").items[0].SerializeToString(deterministic=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(messages(core_v1_pb2.PodSpec))
def test_models_and_yaml_mean_the_same(spec: Any) -> None:
    data = {"containers": [{"name": "base"}], **pod_spec_to_dict(spec)}
    try:
        model = as_model(data, "V1PodSpec")
    except Dropped:
        reject()
    assert read(model) == read(dump(data))


def test_every_field_of_the_newest_models_is_carried_or_said_not_to_be() -> None:
    open_types, seen = [("V1PodSpec", core_v1_pb2.PodSpec.DESCRIPTOR)], set()
    while open_types:
        name, descriptor = open_types.pop()
        seen.add(name)
        model, fields = getattr(client, name), json_fields(descriptor)
        for key in set(model.attribute_map.values()) - set(fields):
            assert explain_unknown(descriptor, key)[0] == "a Kubernetes field that Armada's API cannot carry"
        for attribute, key in model.attribute_map.items():
            inner = re.search(r"\w*V1[A-Z]\w*", model.openapi_types[attribute])
            message = fields[key].descriptor.message_type if key in fields else None
            if inner and message is not None and inner[0] not in seen:
                open_types.append((inner[0], message))
    assert len(seen) > 90


def full_pod() -> Any:
    """A pod as somebody writes it with the models: every place where JSON and the messages differ."""
    reference = client.V1SecretKeySelector(name="db", key="password")
    return client.V1Pod(
        api_version="v1",
        kind="Pod",
        metadata=client.V1ObjectMeta(labels={"team": "a"}, annotations={"note": "x"}, namespace="prod"),
        spec=client.V1PodSpec(
            containers=[
                client.V1Container(
                    name="base",
                    image="python:3.12",
                    env=[
                        client.V1EnvVar(name="A", value="1"),
                        client.V1EnvVar(name="B", value_from=client.V1EnvVarSource(secret_key_ref=reference)),
                    ],
                    env_from=[client.V1EnvFromSource(config_map_ref=client.V1ConfigMapEnvSource(name="c"))],
                    resources=client.V1ResourceRequirements(requests={"cpu": "1"}, limits={"cpu": "1"}),
                    liveness_probe=client.V1Probe(
                        http_get=client.V1HTTPGetAction(path="/", port="http"), initial_delay_seconds=0
                    ),
                    readiness_probe=client.V1Probe(_exec=client.V1ExecAction(command=["true"])),
                    ports=[client.V1ContainerPort(container_port=80, host_ip="127.0.0.1")],
                    volume_mounts=[client.V1VolumeMount(name="s", mount_path="/s")],
                )
            ],
            volumes=[
                client.V1Volume(name="s", secret=client.V1SecretVolumeSource(secret_name="db", optional=False)),
                client.V1Volume(name="e", empty_dir=client.V1EmptyDirVolumeSource(size_limit="1Gi")),
                client.V1Volume(name="d", empty_dir=client.V1EmptyDirVolumeSource()),
            ],
        ),
    )


def test_a_pod_written_with_models() -> None:
    pod = full_pod()
    manifest = dump(_API.sanitize_for_serialization(pod))
    assert read(pod) == read(manifest)
    assert read(pod.spec) == read(dump(_API.sanitize_for_serialization(pod.spec)))


def test_the_dict_that_a_model_gives_is_understood_too() -> None:
    pod = full_pod()
    assert read(pod.to_dict()) == read(pod)


@pytest.mark.parametrize("wrap", ["V1PodTemplateSpec", "V1PodTemplate"])
def test_templates_written_with_models(wrap: str) -> None:
    pod = full_pod()
    template = client.V1PodTemplateSpec(metadata=pod.metadata, spec=pod.spec)
    value = template if wrap == "V1PodTemplateSpec" else client.V1PodTemplate(template=template)
    assert read(value) == read(pod)


def test_models_as_arguments_of_the_short_form() -> None:
    with_models = build(
        image="a",
        env_vars=[client.V1EnvVar(name="A", value="1")],
        tolerations=[client.V1Toleration(key="gpu", operator="Exists")],
        affinity=client.V1Affinity(pod_affinity=client.V1PodAffinity()),
        container_resources=client.V1ResourceRequirements(limits={"cpu": "1"}),
        security_context=client.V1PodSecurityContext(run_as_user=0),
    )
    with_dicts = build(
        image="a",
        env_vars={"A": "1"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        affinity={"podAffinity": {}},
        container_resources={"limits": {"cpu": "1"}},
        security_context={"runAsUser": 0},
    )
    assert with_models == with_dicts


def test_a_field_that_is_newer_than_armada_is_named() -> None:
    model = client.V1PodSpec(containers=[client.V1Container(name="a")], hostname_override="x")
    with pytest.raises(InvalidJob, match="hostnameOverride: a Kubernetes field that Armada's API cannot carry"):
        read_job(model, "pod_spec")


def test_another_kind_of_model_is_refused() -> None:
    job = client.V1Job(spec=client.V1JobSpec(template=client.V1PodTemplateSpec(spec=full_pod().spec)))
    with pytest.raises(InvalidJob, match=r"pod_spec\.spec\.template: unknown field"):
        read_job(job, "pod_spec")
