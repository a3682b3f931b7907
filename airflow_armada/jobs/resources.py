"""Complete container resources to what Armada needs: requests and limits, equal, for every container.

The defaults for a container that says nothing are the server's own (``defaultJobLimits`` in its config); it applies
them only to containers that name at least one resource, and refuses the others.
"""

from __future__ import annotations

from typing import Any

from airflow_armada.api import core_v1_pb2

DEFAULT_RESOURCES = {"cpu": "1", "memory": "1Gi"}
# Armada refuses whole cpus for init containers: the static cpu manager of a node may not be able to place them.
DEFAULT_INIT_RESOURCES = {"cpu": "900m", "memory": "1Gi"}


def complete_resources(pod: core_v1_pb2.PodSpec) -> list[str]:
    """Fill in the missing side of each resource, and defaults where a container has none.

    :param pod: changed in place
    :return: one sentence for each container that was changed
    """
    notes: list[str] = []
    for containers, defaults in ((pod.containers, DEFAULT_RESOURCES), (pod.initContainers, DEFAULT_INIT_RESOURCES)):
        for container in containers:
            added = _complete(container.resources, defaults)
            if added:
                notes.append(f"container {container.name!r}: {added}")
    return notes


def _complete(resources: Any, defaults: dict[str, str]) -> str:
    requests, limits = resources.requests, resources.limits
    if not requests and not limits:
        for name, quantity in defaults.items():
            requests[name].string = limits[name].string = quantity
        return f"no resources given, using {_listed(requests, defaults)}"
    missing_limits = sorted(set(requests) - set(limits))
    missing_requests = sorted(set(limits) - set(requests))
    for name in missing_limits:
        limits[name].CopyFrom(requests[name])
    for name in missing_requests:
        requests[name].CopyFrom(limits[name])
    filled = []
    if missing_limits:
        filled.append(f"limits set to the requests ({_listed(limits, missing_limits)})")
    if missing_requests:
        filled.append(f"requests set to the limits ({_listed(requests, missing_requests)})")
    return ", ".join(filled)


def _listed(quantities: Any, names: Any) -> str:
    return ", ".join(f"{name} {quantities[name].string}" for name in names)
