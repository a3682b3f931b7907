"""The rules for what surrounds the pod: namespace, sizes, ports, deduplication key, annotations."""

from __future__ import annotations

import math
from collections.abc import Iterator

from airflow_armada.api import submit_pb2
from airflow_armada.api.annotations import PRICE_BAND
from airflow_armada.jobs.checks.gangs import annotation_path
from airflow_armada.jobs.problems import Problem

_MAX_CLIENT_ID = 100
_PRICE_BANDS = "ABCDEFGH"
_MAX_UINT32 = 2**32 - 1


def job_problems(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> list[Problem]:
    """What is wrong with a job apart from its pod.

    :param item: the job
    :param prefix: beginning of the paths
    :return: the problems
    """
    return [
        *_namespace(item, prefix),
        *_pod_specs(item, prefix),
        *_ingress(item, prefix),
        *_exposed(item, prefix),
        *_client_id(item, prefix),
        *_price_band(item, prefix),
        *_priority(item, prefix),
        *_node_labels(item, prefix),
    ]


def _namespace(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if not item.namespace:
        yield Problem(f"{prefix}namespace", "", "is required", 'set namespace, such as "default"')


def _pod_specs(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if not item.HasField("pod_spec") and not len(item.pod_specs):
        yield Problem(f"{prefix}podSpec", "", "is required", "give an image, or a pod_spec")
    elif item.HasField("pod_spec") and len(item.pod_specs):
        yield Problem(f"{prefix}podSpecs", "", "cannot be given together with podSpec", "keep one of them")
    if len(item.pod_specs) > 1:
        count = str(len(item.pod_specs))
        yield Problem(
            f"{prefix}podSpecs", count, "a job has exactly one pod", "submit a job for each, as a gang if needed"
        )


def _ingress(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    owner: dict[int, int] = {}
    for index, ingress in enumerate(item.ingress):
        path = f"{prefix}ingress[{index}].ports"
        if not ingress.ports:
            yield Problem(path, "", "needs at least one port", "list the container ports to expose")
        for port in ingress.ports:
            if port in owner:
                rule = f"ingress[{owner[port]}] has this port already; a port may be in one ingress only"
                yield Problem(path, str(port), rule, "remove one of them")
            owner.setdefault(port, index)


def _exposed(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    """The server skips ports that no container declares, without a word."""
    pods = [item.pod_spec] if item.HasField("pod_spec") else list(item.pod_specs)
    declared = {port.containerPort for pod in pods for c in pod.containers for port in c.ports}
    exposed = [(f"ingress[{i}]", ingress.ports) for i, ingress in enumerate(item.ingress)]
    exposed += [(f"services[{i}]", service.ports) for i, service in enumerate(item.services)]
    for name, ports in exposed:
        for port in ports:
            if port not in declared:
                hint = f"add {port} to the ports of the container"
                yield Problem(f"{prefix}{name}.ports", str(port), "no container declares this port", hint, True)
    for index, service in enumerate(item.services):
        if not service.ports:
            yield Problem(f"{prefix}services[{index}].ports", "", "needs at least one port", "list the ports to expose")


def _client_id(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    size = len(item.client_id.encode())
    if size > _MAX_CLIENT_ID:
        yield Problem(f"{prefix}clientId", f"{size} bytes", f"must be at most {_MAX_CLIENT_ID} bytes", "shorten it")


def _price_band(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if PRICE_BAND in item.annotations:
        band = item.annotations[PRICE_BAND]
        if len(band) != 1 or band.upper() not in _PRICE_BANDS:
            yield Problem(annotation_path(prefix, PRICE_BAND), repr(band), "must be a letter from A to H")


def _node_labels(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if item.required_node_labels:
        hint = "use nodeSelector in the pod spec, or node_selector"
        yield Problem(f"{prefix}requiredNodeLabels", "", "the server ignores this field without a word", hint)


def _priority(item: submit_pb2.JobSubmitRequestItem, prefix: str) -> Iterator[Problem]:
    if not math.isfinite(item.priority) or not 0 <= item.priority <= _MAX_UINT32:
        rule = f"must be from 0 to {_MAX_UINT32}; the server would silently clip it"
        yield Problem(f"{prefix}priority", str(item.priority), rule, "0 is the most urgent; lower is scheduled earlier")
