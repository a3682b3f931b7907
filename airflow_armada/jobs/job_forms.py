"""The forms in which an author may give a job, all read into the same message.

Accepted: a Pod, PodTemplate, PodTemplateSpec or PodSpec; an armadactl submit file (``queue``, ``jobSetId``, ``jobs``);
a ``JobSubmitRequest`` or one of its items; each as a mapping, YAML text, ``kubernetes.client`` model or message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.jobs.kubernetes.convert import read_message
from airflow_armada.jobs.kubernetes.models import adopt, is_message, to_plain
from airflow_armada.jobs.kubernetes.scalars import type_name
from airflow_armada.jobs.problems import InvalidJob, Problem, raise_if_any

_JOBS = ("jobs", "jobRequestItems", "job_request_items")
_POD_SPECS = ("podSpec", "podSpecs", "pod_spec", "pod_specs")
_FILE_ALIASES = {"job_set_id": "jobSetId", "job_request_items": "jobs", "jobRequestItems": "jobs"}
_FILE_KEYS = {"queue": "queue", "jobsetid": "jobSetId", "jobs": "jobs"}
_MANY = 20  # notes of one file
FILE_KEYS = {"jobs": "job_request_items"}
"""Keys of a submit file that the message of a request calls otherwise."""
_POD = "k8s.io.api.core.v1.Pod"
_CARRIED_METADATA = frozenset({"labels", "annotations", "namespace"})
_NAMES = frozenset({"name", "generateName"})
_WORKLOADS = frozenset(
    {"Job", "CronJob", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"}
)


@dataclass
class JobFile:
    """What a form holds.

    :param items: the jobs
    :param queue: the queue that the form names, or empty
    :param job_set_id: the job set that the form names, or empty
    :param notes: what the author should know about how it was read
    """

    items: list[submit_pb2.JobSubmitRequestItem] = field(default_factory=list)
    queue: str = ""
    job_set_id: str = ""
    notes: list[str] = field(default_factory=list)


def read_jobs(value: Any, path: str) -> JobFile:
    """All jobs of a form.

    :param value: any accepted form
    :param path: what error messages call it, such as the argument's name
    :return: the jobs, at least one
    :raises InvalidJob: naming everything that cannot be read
    """
    problems: list[Problem] = []
    file = JobFile()
    _read(value, path, file, problems)
    raise_if_any(problems)
    if not file.items:
        raise InvalidJob([Problem(path, "", "holds no job", "give a pod, a pod spec or an armadactl file with jobs")])
    return file


def read_job(value: Any, path: str) -> JobFile:
    """The only job of a form.

    :param value: any accepted form
    :param path: what error messages call it
    :return: with one item
    :raises InvalidJob: naming everything that cannot be read, or when there is more than one job
    """
    file = read_jobs(value, path)
    if len(file.items) > 1:
        rule = f"holds {len(file.items)} jobs where one is expected"
        raise InvalidJob([Problem(path, "", rule, "give one job, and map the task over the others with expand()")])
    return file


def _read(value: Any, path: str, file: JobFile, problems: list[Problem]) -> None:
    if isinstance(value, str):
        _read_text(value, path, file, problems)
    elif is_message(value):
        _read_known_message(value, path, file, problems)
    else:
        _read_data(to_plain(value, path), path, file, problems)


def _read_data(data: Any, path: str, file: JobFile, problems: list[Problem]) -> None:
    if isinstance(data, Mapping):
        _read_mapping(data, path, file, problems)
    else:
        hint = "give a mapping with containers, or an armadactl file with jobs"
        problems.append(Problem(path, "", f"expected a job or a pod, got {type_name(data)}", hint))


def _read_text(text: str, path: str, file: JobFile, problems: list[Problem]) -> None:
    from airflow_armada.jobs.kubernetes.yaml_text import load_documents  # only text needs a YAML reader

    documents = load_documents(text, path)
    for number, document in enumerate(documents, start=1):
        where = path if len(documents) == 1 else f"{path} (document {number})"
        if isinstance(document, str):
            hint = "to name a file, let it end in .yaml or .yml and lie where the DAG finds templates"
            problems.append(Problem(where, "", "plain text, not a YAML manifest", hint))
        else:
            _read_data(_as_armadactl_reads(document, where, file.notes), where, file, problems)


def _as_armadactl_reads(document: Any, path: str, notes: list[str]) -> Any:
    """A submit file is read as armadactl reads it; manifests are read as Kubernetes reads them."""
    if not isinstance(document, Mapping) or not any(str(key).lower() == "jobs" for key in document):
        return document
    from airflow_armada.jobs.kubernetes.armadactl import as_armadactl_reads, as_text

    content: dict[str, Any] = {}
    found: list[str] = []
    for key, value in document.items():
        name = _FILE_KEYS.get(_FILE_ALIASES.get(key, str(key)).lower())
        if name is None:
            found.append(f"{path}.{key} is left out, as armadactl does: known here are jobSetId, jobs and queue")
        else:
            content[name] = as_text(value)
    if isinstance(content["jobs"], list):
        item = submit_pb2.JobSubmitRequestItem.DESCRIPTOR
        jobs = enumerate(content["jobs"])
        content["jobs"] = [as_armadactl_reads(job, item, f"{path}.jobs[{index}]", found) for index, job in jobs]
    notes += found[:_MANY]
    if len(found) > _MANY:
        notes.append(f"{path}: {len(found) - _MANY} more keys are left out")
    return content


def _read_known_message(value: Any, path: str, file: JobFile, problems: list[Problem]) -> None:
    name = value.DESCRIPTOR.full_name
    if name == "api.JobSubmitRequestItem":
        file.items.append(adopt(value, submit_pb2.JobSubmitRequestItem))
    elif name == "api.JobSubmitRequest":
        request = adopt(value, submit_pb2.JobSubmitRequest)
        _add_file(file, request.queue, request.job_set_id)
        file.items.extend(request.job_request_items)
    elif name == "k8s.io.api.core.v1.PodSpec":
        file.items.append(submit_pb2.JobSubmitRequestItem(pod_spec=adopt(value, core_v1_pb2.PodSpec)))
    elif name in ("k8s.io.api.core.v1.PodTemplateSpec", _POD):
        if name == _POD and value.HasField("status"):
            problems.append(_status_problem(path))
        value = adopt(value, core_v1_pb2.PodTemplateSpec)  # a Pod has metadata and spec under the same numbers
        _add_pod(value, path, file, problems)
    else:
        problems.append(Problem(path, "", f"a message of type {name} is neither a job nor a pod"))


def _read_mapping(data: Mapping[str, Any], path: str, file: JobFile, problems: list[Problem]) -> None:
    kind = data.get("kind")
    if kind not in (None, "", "Pod", "PodTemplate", "List", "PodList"):
        problems.append(_kind_problem(kind, path))
    elif kind in ("List", "PodList"):
        for index, item in enumerate(data.get("items") or ()):
            _read_data(item, f"{path}.items[{index}]", file, problems)
    elif _has(data, *_JOBS):
        _read_submit_file(data, path, file, problems)
    elif _has(data, *_POD_SPECS):
        item = _item(data, path, problems)
        file.items.append(item)
    elif kind == "PodTemplate" or _has(data, "template"):
        _read_pod(data.get("template") or {}, f"{path}.template", file, problems)
        _refuse_others(data, {"apiVersion", "api_version", "kind", "metadata", "template"}, path, problems)
    elif kind == "Pod" or _has(data, "spec", "metadata"):
        _read_pod(data, path, file, problems)
    elif _has(data, "image") and not _has(data, "containers"):
        hint = 'write {"containers": [...]} around it, or use the arguments image, cmds, ...'
        problems.append(Problem(path, "", "is a container where a pod is expected", hint))
    else:
        item = submit_pb2.JobSubmitRequestItem()
        read_message(item.pod_spec, data, path, problems)
        file.items.append(item)


def message_type_of(data: Mapping[str, Any]) -> Any:
    """Which message a form says, as far as its keys tell.

    :param data: the form as a mapping
    :return: the descriptor of a job file, a job, a pod or a pod spec; None for other forms
    """
    if data.get("kind") in ("List", "PodList", "PodTemplate") or _has(data, "template"):
        return None
    if _has(data, *_JOBS):
        return submit_pb2.JobSubmitRequest.DESCRIPTOR
    if _has(data, *_POD_SPECS):
        return submit_pb2.JobSubmitRequestItem.DESCRIPTOR
    if data.get("kind") == "Pod" or _has(data, "spec", "metadata"):
        return core_v1_pb2.Pod.DESCRIPTOR
    return core_v1_pb2.PodSpec.DESCRIPTOR


def _has(data: Mapping[str, Any], *keys: str) -> bool:
    return any(data.get(key) is not None for key in keys)


def _kind_problem(kind: Any, path: str) -> Problem:
    hint = "give the pod template in it (spec.template)" if str(kind) in _WORKLOADS else "leave that document out"
    return Problem(f"{path}.kind", str(kind), "expected Pod or PodTemplate", hint)


def _status_problem(path: str) -> Problem:
    return Problem(f"{path}.status", "", "the state of a pod that already ran is no part of a job", "remove it")


def _item(data: Any, path: str, problems: list[Problem]) -> submit_pb2.JobSubmitRequestItem:
    item = submit_pb2.JobSubmitRequestItem()
    read_message(item, data, path, problems)
    return item


def _read_submit_file(data: Mapping[str, Any], path: str, file: JobFile, problems: list[Problem]) -> None:
    content = {_FILE_ALIASES.get(key, key): value for key, value in data.items()}
    _refuse_others(content, {"queue", "jobSetId", "jobs"}, path, problems)
    texts = {}
    for key in ("queue", "jobSetId"):
        texts[key] = content.get(key) or ""
        if not isinstance(texts[key], str):
            problems.append(Problem(f"{path}.{key}", repr(texts[key]), "expected text", "put it in quotes"))
    _add_file(file, texts["queue"], texts["jobSetId"])
    jobs = content.get("jobs")
    if not isinstance(jobs, list | None):
        problems.append(Problem(f"{path}.jobs", "", f"expected a list of jobs, got {type_name(jobs)}"))
        return
    file.items.extend(_item(job, f"{path}.jobs[{index}]", problems) for index, job in enumerate(jobs or ()))


def _add_file(file: JobFile, queue: str, job_set_id: str) -> None:
    file.queue = file.queue or queue
    file.job_set_id = file.job_set_id or job_set_id


def _refuse_others(data: Mapping[str, Any], known: set[str], path: str, problems: list[Problem]) -> None:
    expected = ", ".join(sorted(known - {"api_version"}))
    for key, value in data.items():
        if key not in known and value is not None:
            problems.append(Problem(f"{path}.{key}", "", "unknown field", f"known here: {expected}"))


def _read_pod(data: Any, path: str, file: JobFile, problems: list[Problem]) -> None:
    if not isinstance(data, Mapping):
        problems.append(Problem(path, "", f"expected a pod, got {type_name(data)}"))
        return
    if data.get("status"):
        problems.append(_status_problem(path))
    content = {key: value for key, value in data.items() if key not in ("apiVersion", "api_version", "kind", "status")}
    pod = core_v1_pb2.PodTemplateSpec()
    read_message(pod, content, path, problems)
    _add_pod(pod, path, file, problems)


def _add_pod(pod: core_v1_pb2.PodTemplateSpec, path: str, file: JobFile, problems: list[Problem]) -> None:
    metadata = pod.metadata
    for descriptor, _ in metadata.ListFields():
        if descriptor.name in _NAMES:
            name = getattr(metadata, descriptor.name)
            file.notes.append(
                f"metadata.{descriptor.name} {name!r} is not used: Armada names its pods after the job id"
            )
        elif descriptor.name not in _CARRIED_METADATA:
            rule = "an Armada job cannot carry this metadata"
            problems.append(Problem(f"{path}.metadata.{descriptor.name}", "", rule, "remove it"))
    item = submit_pb2.JobSubmitRequestItem(
        namespace=metadata.namespace, labels=metadata.labels, annotations=metadata.annotations
    )
    item.pod_spec.CopyFrom(pod.spec)
    file.items.append(item)
