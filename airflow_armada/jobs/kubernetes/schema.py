"""How Kubernetes JSON names the fields of the wire messages.

Most fields have the same name in both. The exceptions are the structs that Go inlines: JSON lays their fields into
the parent, the wire nests them under a name. Source: the ``json:",inline"`` tags of Kubernetes' core/v1 types.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

MAX_DEPTH = 100
"""Levels of lists and mappings that are read; Kubernetes' own objects have about twenty."""

_CORE = "k8s.io.api.core.v1."
_REFERENCE_HOLDERS = (
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
)
_INLINED: Mapping[str, str] = {
    f"{_CORE}Volume": "volumeSource",
    f"{_CORE}Probe": "handler",
    f"{_CORE}EphemeralContainer": "ephemeralContainerCommon",
    **{f"{_CORE}{name}": "localObjectReference" for name in _REFERENCE_HOLDERS},
}

# Fields that Kubernetes has by now and Armada's API has no place for; the tests compare them with the newest models.
_NOT_CARRIED: Mapping[str, tuple[str, ...]] = {
    f"{_CORE}PodSpec": ("evictionResponders", "hostnameOverride", "schedulingGroup"),
    f"{_CORE}Container": ("restartPolicyRules",),
    f"{_CORE}EphemeralContainer": ("restartPolicyRules",),
    f"{_CORE}Lifecycle": ("stopSignal",),
    f"{_CORE}HTTPGetAction": ("protocol",),
    f"{_CORE}GRPCAction": ("mode",),
    f"{_CORE}VolumeMount": ("bindMountOptions",),
    f"{_CORE}EnvVarSource": ("fileKeyRef",),
    f"{_CORE}EmptyDirVolumeSource": ("mode",),
    f"{_CORE}SecretVolumeSource": ("defaultUser",),
    f"{_CORE}ConfigMapVolumeSource": ("defaultUser",),
    f"{_CORE}DownwardAPIVolumeSource": ("defaultUser",),
    f"{_CORE}DownwardAPIVolumeFile": ("user",),
    f"{_CORE}ProjectedVolumeSource": ("defaultUser",),
    f"{_CORE}VolumeProjection": ("podCertificate",),
    f"{_CORE}ServiceAccountTokenProjection": ("user",),
    f"{_CORE}ClusterTrustBundleProjection": ("user",),
    f"{_CORE}KeyToPath": ("user",),
}


@dataclass(frozen=True)
class JsonField:
    """One field of a message as JSON sees it.

    :param name: its JSON name
    :param descriptor: the protobuf field descriptor
    :param inside: the nested message that holds it on the wire, or empty
    """

    name: str
    descriptor: Any
    inside: str = ""


@cache
def json_fields(descriptor: Any) -> dict[str, JsonField]:
    """The JSON fields of a message type, inlined ones included.

    :param descriptor: the message's descriptor
    :return: JSON name to field
    """
    inlined = inlined_field(descriptor)
    fields: dict[str, JsonField] = {}
    for field in descriptor.fields:
        if field.name == inlined:
            fields.update(
                (inner.json_name, JsonField(inner.json_name, inner, inside=field.name))
                for inner in field.message_type.fields
            )
        else:
            fields[field.json_name] = JsonField(field.json_name, field)
    return fields


def inlined_field(descriptor: Any) -> str:
    """The wire-only field whose content JSON lays into its parent.

    :param descriptor: the message's descriptor
    :return: the field's name, or empty
    """
    return _INLINED.get(descriptor.full_name, "")


@cache
def _aliases(descriptor: Any) -> dict[str, JsonField]:
    return {name.lower(): field for name, field in json_fields(descriptor).items()}


def find_field(descriptor: Any, key: str) -> JsonField | None:
    """The field that a key means: its JSON name, or the snake_case spelling that Python models use.

    :param descriptor: the message's descriptor
    :param key: a key of the JSON object
    :return: the field, or None when the message has no such field
    """
    field = json_fields(descriptor).get(key)
    if field is None and "_" in key and key == key.lower():
        field = _aliases(descriptor).get(key.replace("_", ""))
    return field


def is_not_carried(descriptor: Any, key: str) -> bool:
    """Whether a key is a field of Kubernetes that Armada's API has no place for.

    :param descriptor: the message's descriptor
    :param key: its JSON name or its snake_case spelling
    :return: True for such a field
    """
    names = {name.lower() for name in _NOT_CARRIED.get(descriptor.full_name, ())}
    return key.replace("_", "").lower() in names


def example_of(descriptor: Any) -> str:
    """Which fields an object may have, for a suggestion.

    :param descriptor: the message's descriptor
    :return: the names of some of them, the most usual first
    """
    names = list(json_fields(descriptor))
    return ", ".join(names if len(names) <= 4 else [*names[:4], "..."])


def explain_unknown(descriptor: Any, key: str) -> tuple[str, str]:
    """Why a key is not accepted, and what may have been meant.

    :param descriptor: the message's descriptor
    :param key: a key that ``find_field`` does not know
    :return: the rule and a suggestion
    """
    if is_not_carried(descriptor, key):
        return "a Kubernetes field that Armada's API cannot carry", "remove it"
    names = json_fields(descriptor)
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(key.replace("_", "").lower(), by_lower, n=1, cutoff=0.7)
    if close:
        return "unknown field", f"did you mean {by_lower[close[0]]}?"
    known = ", ".join(sorted(names))
    return "unknown field", f"known here: {known}" if len(known) <= 200 else "remove it or check its place"


def is_repeated(field: Any) -> bool:
    """Whether a field holds a list or a map, on every supported protobuf runtime.

    :param field: a field descriptor
    :return: True for lists and maps
    """
    repeated = getattr(field, "is_repeated", None)  # absent before protobuf 6.31; `label` is deprecated after it
    return bool(field.label == field.LABEL_REPEATED if repeated is None else repeated)


def is_map(field: Any) -> bool:
    """Whether a field is a map.

    :param field: a field descriptor
    :return: True for maps
    """
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)
