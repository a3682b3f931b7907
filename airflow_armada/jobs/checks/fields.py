"""The rules for single fields, applied to all of a pod, and those that tie the fields of one message together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from airflow_armada.api import core_v1_pb2
from airflow_armada.api.quantity import parse_quantity
from airflow_armada.jobs.checks.container_resources import unit_hint
from airflow_armada.jobs.checks.field_rules import NUMBERS, ONE_OF, PORT_NAME, REQUIRED, SYNTAX, WORDS
from airflow_armada.jobs.checks.name_syntax import LABEL_KEY_RULE, LABEL_VALUE_RULE, is_label_key, is_label_value
from airflow_armada.jobs.kubernetes.scalars import INT_OR_STRING, QUANTITY
from airflow_armada.jobs.kubernetes.schema import inlined_field, is_map, is_repeated
from airflow_armada.jobs.problems import Problem

_CONTAINER_QUANTITY = re.compile(r"\.(?:c|initC)ontainers\[\d+\]\.resources\.(?:limits|requests)\[")


def field_problems(pod: core_v1_pb2.PodSpec, path: str) -> list[Problem]:
    """What is wrong with single fields of a pod.

    :param pod: the pod spec
    :param path: what messages call it
    :return: the problems; resources of containers are looked at elsewhere
    """
    return [problem for message, where in _parts(pod, path) for problem in _message_problems(message, where)]


def _parts(message: Message, path: str) -> Iterator[tuple[Any, str]]:
    """A message and all that it holds, with their paths."""
    yield message, path
    inlined = inlined_field(message.DESCRIPTOR)
    for field, value in message.ListFields():
        where = path if field.name == inlined else f"{path}.{field.json_name}"
        if is_map(field):
            for key in sorted(value):
                if isinstance(value[key], Message):
                    yield from _parts(value[key], f"{where}[{key!r}]")
        elif field.message_type is not None:
            entries = enumerate(value) if is_repeated(field) else [(None, value)]
            for index, entry in entries:
                yield from _parts(entry, where if index is None else f"{where}[{index}]")


def _message_problems(message: Any, path: str) -> Iterator[Problem]:
    name = message.DESCRIPTOR.name
    if message.DESCRIPTOR.full_name == QUANTITY:
        if not _is_of_container(path):
            yield from _quantity(message, path)
        return
    yield from _required(message, name, path)
    yield from _one_of(message, name, path)
    for field, value in message.ListFields():
        key, where = (name, field.name), f"{path}.{field.json_name}"
        values = enumerate(value) if is_repeated(field) and not is_map(field) else [(None, value)]
        for index, one in values:
            yield from _value(key, one, where if index is None else f"{where}[{index}]")
    if (special := _SPECIAL.get(name)) is not None:
        yield from special(message, path)


def _is_of_container(path: str) -> bool:
    """Whether a quantity is one that is looked at with the container's resources."""
    return _CONTAINER_QUANTITY.search(path) is not None


def _quantity(message: Any, path: str) -> Iterator[Problem]:
    """The server cannot read a request with a quantity that is none, wherever it stands."""
    text = message.string
    try:
        if parse_quantity(text) < 0:
            yield Problem(path, text, "must not be negative")
    except ValueError:
        yield Problem(path, repr(text), "must be a quantity such as 500m, 2 or 1Gi", unit_hint(text))


def _required(message: Any, name: str, path: str) -> Iterator[Problem]:
    given = {field.name for field, value in message.ListFields() if value != ""}
    for field in REQUIRED.get(name, ()):
        if field not in given:
            yield Problem(f"{path}.{field}", "", "is required")


def _one_of(message: Any, name: str, path: str) -> Iterator[Problem]:
    choices = ONE_OF.get(name)
    if choices is None:
        return
    given = [field.name for field, _ in message.ListFields() if field.name in choices]
    if len(given) != 1:
        yield Problem(path, ", ".join(given), f"must have exactly one of {', '.join(choices)}")


def _value(key: tuple[str, str], value: Any, path: str) -> Iterator[Problem]:
    if (words := WORDS.get(key)) and value and value not in words:
        right = [word for word in words if word.lower() == value.lower()]
        yield Problem(path, repr(value), f"must be one of {', '.join(words)}", f"write {right[0]}" if right else "")
    if (bounds := NUMBERS.get(key)) is not None:
        yield from _number(value, bounds, path)
    if (syntax := SYNTAX.get(key)) is not None and value and not syntax[0](value):
        yield Problem(path, repr(value), syntax[1])


def _number(value: Any, bounds: tuple[int, int], path: str) -> Iterator[Problem]:
    low, high = bounds
    if getattr(value, "DESCRIPTOR", None) is not None and value.DESCRIPTOR.full_name == INT_OR_STRING:
        if value.type == 1:
            if not PORT_NAME[0](value.strVal):
                yield Problem(
                    path, repr(value.strVal), f"must be a number, or the name of a port, which {PORT_NAME[1]}"
                )
            return
        value = value.intVal
    if not low <= value <= high:
        shown = f"0{value:o}" if high == 0o777 else str(value)
        rule = "must be from 0 to 0777" if high == 0o777 else f"must be from {low} to {high}"
        yield Problem(path, shown, rule)


def _pod(pod: Any, path: str) -> Iterator[Problem]:
    if pod.dnsPolicy == "None" and not pod.dnsConfig.nameservers:
        yield Problem(f"{path}.dnsConfig.nameservers", "", "needs at least one server with dnsPolicy None")
    if pod.shareProcessNamespace and pod.hostPID:
        yield Problem(f"{path}.shareProcessNamespace", "true", "cannot be given together with hostPID", "keep one")
    for name in ("net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."):
        shared = pod.hostNetwork if name == "net." else pod.hostIPC
        for index, sysctl in enumerate(pod.securityContext.sysctls):
            if shared and sysctl.name.replace("/", ".").startswith(name):
                where = f"{path}.securityContext.sysctls[{index}].name"
                yield Problem(where, repr(sysctl.name), "cannot be set in a pod that shares this with its node")
    for index, container in enumerate(pod.initContainers):
        yield from _init_container(container, f"{path}.initContainers[{index}]")
    for index, container in enumerate(pod.containers):
        for number, port in enumerate(container.ports):
            if pod.hostNetwork and port.hostPort not in (0, port.containerPort):
                where = f"{path}.containers[{index}].ports[{number}].hostPort"
                yield Problem(
                    where, str(port.hostPort), f"must be {port.containerPort} with hostNetwork", "leave it out"
                )


def _init_container(container: Any, path: str) -> Iterator[Problem]:
    if container.restartPolicy == "Always":
        return
    if container.restartPolicy:
        yield Problem(f"{path}.restartPolicy", repr(container.restartPolicy), "must be Always, or left out")
    for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
        if container.HasField(name):
            hint = "remove it, or make the container a sidecar with restartPolicy Always"
            yield Problem(f"{path}.{name}", "", "an init container that ends cannot have it", hint)


def _container(container: Any, path: str) -> Iterator[Problem]:
    for name in ("livenessProbe", "startupProbe"):
        if container.HasField(name):
            probe, where = getattr(container, name), f"{path}.{name}"
            if probe.successThreshold not in (0, 1):
                yield Problem(f"{where}.successThreshold", str(probe.successThreshold), "must be 1 for this probe")
    if container.readinessProbe.HasField("terminationGracePeriodSeconds"):
        yield Problem(
            f"{path}.readinessProbe.terminationGracePeriodSeconds", "", "is not for readiness probes", "remove it"
        )
    security = container.securityContext
    if security.privileged and security.HasField("allowPrivilegeEscalation") and not security.allowPrivilegeEscalation:
        rule, hint = "cannot be false for a privileged container", "remove one of them"
        yield Problem(f"{path}.securityContext.allowPrivilegeEscalation", "false", rule, hint)
    seen: set[str] = set()
    for index, port in enumerate(container.ports):
        if port.name and port.name in seen:
            yield Problem(f"{path}.ports[{index}].name", repr(port.name), "another port has this name", "rename it")
        seen.add(port.name)
    for index, mount in enumerate(container.volumeMounts):
        if mount.mountPropagation == "Bidirectional" and not security.privileged:
            where = f"{path}.volumeMounts[{index}].mountPropagation"
            yield Problem(where, "'Bidirectional'", "is for privileged containers only")


def _probe(probe: Any, path: str) -> Iterator[Problem]:
    if not probe.HasField("handler"):
        yield Problem(path, "", f"must have exactly one of {', '.join(ONE_OF['ProbeHandler'])}")


def _mount(mount: Any, path: str) -> Iterator[Problem]:
    if mount.subPath and mount.subPathExpr:
        yield Problem(
            f"{path}.subPathExpr", repr(mount.subPathExpr), "cannot be given together with subPath", "keep one"
        )
    if mount.recursiveReadOnly in ("IfPossible", "Enabled") and not mount.readOnly:
        yield Problem(f"{path}.recursiveReadOnly", repr(mount.recursiveReadOnly), "needs readOnly: true")


def _profile(profile: Any, path: str) -> Iterator[Problem]:
    if (profile.type == "Localhost") != bool(profile.localhostProfile):
        rule = "is required with type Localhost, and only with it"
        yield Problem(f"{path}.localhostProfile", repr(profile.localhostProfile), rule)


def _toleration(toleration: Any, path: str) -> Iterator[Problem]:
    if not toleration.key and toleration.operator != "Exists":
        yield Problem(f"{path}.operator", repr(toleration.operator), "must be Exists where no key is given")
    if toleration.operator in ("", "Equal") and not is_label_value(toleration.value):
        yield Problem(f"{path}.value", repr(toleration.value), LABEL_VALUE_RULE)
    if toleration.HasField("tolerationSeconds") and toleration.effect != "NoExecute":
        yield Problem(f"{path}.tolerationSeconds", str(toleration.tolerationSeconds), "needs effect NoExecute")


def _selector(selector: Any, path: str) -> Iterator[Problem]:
    if not selector.nodeSelectorTerms:
        hint = "add a term, or leave the affinity out"
        yield Problem(f"{path}.nodeSelectorTerms", "", "needs at least one term", hint)
    for index, term in enumerate(selector.nodeSelectorTerms):
        if not term.matchExpressions and not term.matchFields:
            hint = "add matchExpressions, or remove the term"
            yield Problem(f"{path}.nodeSelectorTerms[{index}]", "", "a term without requirements matches no node", hint)


def _label_requirement(requirement: Any, path: str) -> Iterator[Problem]:
    if requirement.operator in ("In", "NotIn") and not requirement.values:
        yield Problem(f"{path}.values", "", f"operator {requirement.operator} needs at least one value")
    if requirement.operator in ("Exists", "DoesNotExist") and requirement.values:
        yield Problem(f"{path}.values", "", f"operator {requirement.operator} takes no values", "remove them")
    for index, value in enumerate(requirement.values):
        if not is_label_value(value):
            yield Problem(f"{path}.values[{index}]", repr(value), LABEL_VALUE_RULE)


def _label_selector(selector: Any, path: str) -> Iterator[Problem]:
    for key, value in sorted(selector.matchLabels.items()):
        where = f"{path}.matchLabels[{key!r}]"
        if not is_label_key(key):
            yield Problem(where, "", f"a label key {LABEL_KEY_RULE}")
        if not is_label_value(value):
            yield Problem(where, repr(value), f"a label value {LABEL_VALUE_RULE}")


def _security(context: Any, path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        name = sysctl.name.replace("/", ".")
        if name in seen:
            yield Problem(f"{path}.sysctls[{index}].name", repr(sysctl.name), "is given twice", "remove one")
        seen.add(name)


def _spread(spread: Any, path: str) -> Iterator[Problem]:
    if spread.HasField("minDomains") and spread.whenUnsatisfiable != "DoNotSchedule":
        yield Problem(f"{path}.minDomains", str(spread.minDomains), "needs whenUnsatisfiable DoNotSchedule")


def _dns_config(config: Any, path: str) -> Iterator[Problem]:
    for name, most in (("nameservers", 3), ("searches", 32)):
        if len(getattr(config, name)) > most:
            yield Problem(f"{path}.{name}", str(len(getattr(config, name))), f"must be at most {most}")


_SPECIAL: Mapping[str, Callable[[Any, str], Iterator[Problem]]] = {
    "PodSpec": _pod,
    "Container": _container,
    "Probe": _probe,
    "VolumeMount": _mount,
    "SeccompProfile": _profile,
    "AppArmorProfile": _profile,
    "Toleration": _toleration,
    "NodeSelector": _selector,
    "LabelSelector": _label_selector,
    "PodSecurityContext": _security,
    "LabelSelectorRequirement": _label_requirement,
    "TopologySpreadConstraint": _spread,
    "PodDNSConfig": _dns_config,
}
