"""The environment of a container: what Armada adds, what the pod spec says, and little of the machine's own."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from airflow_armada.api.annotations import GANG_UNIFORMITY_LABEL
from airflow_armada.api.core_v1_pb2 import Container, EnvVar, EnvVarSource, ResourceFieldSelector
from airflow_armada.standalone.config import NODE, Provided
from airflow_armada.standalone.ids import pod_name
from airflow_armada.standalone.resource_amounts import amount_of
from airflow_armada.standalone.runner.expansion import expand
from airflow_armada.standalone.store.model import Job

# What a command needs to be found and to print text. The rest of the server's environment may hold secrets.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")
ADDRESS = "127.0.0.1"
# Folders of a pod's own, within its private one; the rest of that is the server's. Commands start in the first.
HOME = "home"
TEMPORARY = "tmp"
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class CannotStart(Exception):
    """A container cannot be started as its spec is."""


def environment(job: Job, container: Container, folder: Path, provided: Provided) -> dict[str, str]:
    """Return the variables of a container.

    :param folder: the pod's private folder
    :param provided: the config maps and secrets that there are
    :raises CannotStart: a variable refers to something that does not exist here
    """
    variables = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # A real pod takes its /tmp with it when it goes.
    variables |= {"HOME": str(folder / HOME), "TMPDIR": str(folder / TEMPORARY), "HOSTNAME": pod_name(job.id)}
    declared = _from_sources(container, provided)
    for entry in container.env:
        value = _value(job, container, entry, declared, provided)
        if value is not None:
            declared[entry.name] = value
    return {**variables, **_armada_variables(job), **declared}


def _from_sources(container: Container, provided: Provided) -> dict[str, str]:
    """Return the variables of whole config maps and secrets."""
    variables: dict[str, str] = {}
    for source in container.envFrom:
        for kind, known, reference in (
            ("configmap", provided.config_maps, source.configMapRef),
            ("secret", provided.secrets, source.secretRef),
        ):
            name = reference.localObjectReference.name
            if name and name in known:
                variables |= {source.prefix + key: value for key, value in known[name].items()}
            elif name and not reference.optional:
                raise CannotStart(f'container {container.name}: {kind} "{name}" not found')
    return variables


def _armada_variables(job: Job) -> dict[str, str]:
    variables = {"ARMADA_JOB_ID": job.id, "ARMADA_QUEUE": job.queue, "ARMADA_JOB_SET_ID": job.job_set_id}
    if job.gang is None:
        return variables
    label = job.spec.annotations.get(GANG_UNIFORMITY_LABEL, "")
    return variables | {
        "ARMADA_GANG_ID": job.gang.id,
        "ARMADA_GANG_CARDINALITY": str(job.gang.cardinality),
        "ARMADA_GANG_NODE_UNIFORMITY_LABEL_NAME": label,
        "ARMADA_GANG_NODE_UNIFORMITY_LABEL_VALUE": NODE if label else "",
    }


def _value(
    job: Job, container: Container, entry: EnvVar, declared: Mapping[str, str], provided: Provided
) -> str | None:
    if not entry.HasField("valueFrom"):
        return expand(entry.value, {**_armada_variables(job), **declared})
    source = entry.valueFrom
    if source.HasField("fieldRef"):
        return _field(job, source.fieldRef.fieldPath)
    if source.HasField("resourceFieldRef"):
        return _resource(job, container, source.resourceFieldRef)
    return _from_key(container, source, provided)


def _from_key(container: Container, source: EnvVarSource, provided: Provided) -> str | None:
    """Return the value of a key of a config map or a secret, or None if it need not be there and is not."""
    for kind, known, reference in (
        ("configmap", provided.config_maps, source.configMapKeyRef),
        ("secret", provided.secrets, source.secretKeyRef),
    ):
        name = reference.localObjectReference.name
        if not name:
            continue
        if reference.key in known.get(name, {}):
            return known[name][reference.key]
        if not reference.optional:
            missing = f'key "{reference.key}" of {kind} "{name}"' if name in known else f'{kind} "{name}"'
            raise CannotStart(f"container {container.name}: {missing} not found")
    return None


_FIELDS: dict[str, Callable[[Job], str]] = {
    "metadata.name": lambda job: pod_name(job.id),
    "metadata.namespace": lambda job: job.spec.namespace,
    "metadata.uid": lambda job: job.run.pod_id,
    "spec.nodeName": lambda job: NODE,
    "spec.serviceAccountName": lambda job: job.pod_spec.serviceAccountName or "default",
    "status.hostIP": lambda job: ADDRESS,
    "status.hostIPs": lambda job: ADDRESS,
    "status.podIP": lambda job: ADDRESS,
    "status.podIPs": lambda job: ADDRESS,
}


def _field(job: Job, path: str) -> str:
    if path in _FIELDS:
        return _FIELDS[path](job)
    match = _KEYED.fullmatch(path)
    if match is None:
        raise CannotStart(f"field path {path!r} is not supported")
    return getattr(job.spec, match[1]).get(match[2], "")  # type: ignore[no-any-return]


def _resource(job: Job, container: Container, reference: ResourceFieldSelector) -> str:
    named = reference.containerName or container.name
    owner = next((one for one in job.pod_spec.containers if one.name == named), container)
    kind, _, name = reference.resource.partition(".")
    if kind not in ("limits", "requests"):
        raise CannotStart(f"resource field {reference.resource!r} is not supported")
    amounts = owner.resources.limits if kind == "limits" else owner.resources.requests
    amount = amount_of(amounts[name]) if name in amounts else Fraction(0)
    divisor = amount_of(reference.divisor) or Fraction(1)
    return str(math.ceil(amount / divisor))
