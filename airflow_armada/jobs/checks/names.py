"""Names as Kubernetes wants them: the server does not look at them, so a job with a wrong one fails when it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.jobs.checks import name_syntax as names
from airflow_armada.jobs.checks.pod import all_containers
from airflow_armada.jobs.problems import Problem

# The sum over all keys and values of one object's annotations.
_MAX_ANNOTATIONS = 256 * 1024
_JOB_ID_LENGTH = 26


def name_problems(
    item: submit_pb2.JobSubmitRequestItem, pod: core_v1_pb2.PodSpec, prefix: str, path: str
) -> list[Problem]:
    """What is wrong with the names in a job.

    :param item: the job
    :param pod: its pod
    :param prefix: beginning of the paths of the job
    :param path: path of the pod
    :return: the problems
    """
    return [
        *_namespace(item, prefix),
        *_labels(item.labels, f"{prefix}labels"),
        *_annotations(item.annotations, f"{prefix}annotations"),
        *_labels(pod.nodeSelector, f"{path}.nodeSelector"),
        *_containers(pod, path),
        *_volumes(pod, path),
    ]


def _namespace(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if item.namespace:
        yield from _dns_label(item.namespace, f"{prefix}namespace")


def _dns_label(text: str, path: str) -> Iterator[Problem]:
    if not names.is_dns_label(text):
        better = names.as_dns_label(text)
        yield Problem(
            path, repr(text), names.DNS_LABEL_RULE, f"write {better!r}, for instance" if better else "name it"
        )


def _labels(labels: Mapping[str, str], path: str) -> Iterator[Problem]:
    for key, value in sorted(labels.items()):
        where = f"{path}[{key!r}]"
        if not names.is_label_key(key):
            yield Problem(where, "", f"a label key {names.LABEL_KEY_RULE}")
        # The server puts the job's id in the place of {JobId}.
        if not names.is_label_value(value.replace("{{JobId}}", "JobId").replace("{JobId}", "0" * _JOB_ID_LENGTH)):
            hint = f"write {names.as_label_value(value)!r}, or make it an annotation"
            yield Problem(where, repr(value), f"a label value {names.LABEL_VALUE_RULE}", hint)


def _annotations(annotations: Mapping[str, str], path: str) -> Iterator[Problem]:
    for key in sorted(annotations):
        if not names.is_annotation_key(key):
            yield Problem(f"{path}[{key!r}]", "", f"an annotation key {names.LABEL_KEY_RULE}")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _MAX_ANNOTATIONS:
        yield Problem(path, f"{size} bytes", f"must be at most {_MAX_ANNOTATIONS} bytes altogether", "shorten them")


def _containers(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    volumes = {volume.name for volume in pod.volumes}
    for container, where in all_containers(pod, path):
        yield from _dns_label(container.name, f"{where}.name")
        if container.name in seen:
            yield Problem(f"{where}.name", repr(container.name), "another container has this name", "rename it")
        seen.add(container.name)
        yield from _env(container, where)
        yield from _mounts(container, where, volumes)


def _env(container: core_v1_pb2.Container, path: str) -> Iterator[Problem]:
    for index, variable in enumerate(container.env):
        where = f"{path}.env[{index}]"
        if not names.is_env_name(variable.name):
            yield Problem(f"{where}.name", repr(variable.name), names.ENV_RULE)
        if variable.value and variable.HasField("valueFrom"):
            yield Problem(where, repr(variable.name), "has both a value and a source of it", "keep value or valueFrom")


def _mounts(container: core_v1_pb2.Container, path: str, volumes: set[str]) -> Iterator[Problem]:
    taken: set[str] = set()
    for index, mount in enumerate(container.volumeMounts):
        where = f"{path}.volumeMounts[{index}]"
        if mount.name not in volumes:
            known = f"the pod has {', '.join(sorted(volumes))}" if volumes else "add it to volumes"
            yield Problem(f"{where}.name", repr(mount.name), "the pod has no volume of this name", known, True)
        if not mount.mountPath:
            yield Problem(f"{where}.mountPath", "", "is required", "say where the volume appears")
        elif mount.mountPath in taken:
            yield Problem(f"{where}.mountPath", repr(mount.mountPath), "another volume is mounted there", "change one")
        taken.add(mount.mountPath)


def _volumes(pod: core_v1_pb2.PodSpec, path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, volume in enumerate(pod.volumes):
        where = f"{path}.volumes[{index}]"
        yield from _dns_label(volume.name, f"{where}.name")
        if volume.name in seen:
            yield Problem(f"{where}.name", repr(volume.name), "another volume has this name", "rename it")
        seen.add(volume.name)
        sources = [field.name for field, _ in volume.volumeSource.ListFields()]
        if len(sources) > 1:
            yield Problem(where, ", ".join(sources), "must have one kind of source", "keep one of them")
