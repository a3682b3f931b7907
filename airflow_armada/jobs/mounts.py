"""Secrets and config maps as environment or files, from short forms to Kubernetes JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_armada.jobs.problems import Problem


@dataclass(frozen=True)
class Kind:
    """How one kind of source is spelt in Kubernetes JSON.

    :param argument: what the author calls it
    :param env_from: field of ``EnvFromSource``
    :param key_ref: field of ``EnvVarSource``
    :param volume: field of ``Volume``
    :param volume_name: field of the volume source that names the object
    """

    argument: str
    env_from: str
    key_ref: str
    volume: str
    volume_name: str


SECRET = Kind("secrets", "secretRef", "secretKeyRef", "secret", "secretName")
CONFIG_MAP = Kind("configmaps", "configMapRef", "configMapKeyRef", "configMap", "name")
_KEYS = frozenset({"name", "env", "prefix", "mount_path", "items", "optional"})


@dataclass
class Parts:
    """What a list of sources adds to a container and its pod, as Kubernetes JSON."""

    env: list[dict[str, Any]] = field(default_factory=list)
    env_from: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    volume_mounts: list[dict[str, Any]] = field(default_factory=list)


def expand(kind: Kind, sources: Any, parts: Parts, problems: list[Problem]) -> None:
    """Turn short forms into Kubernetes JSON.

    A source is a name (all its keys become environment variables), or a mapping with ``name`` and one of: ``env``, a
    mapping of variable to key; ``mount_path``, a folder that shows the keys as files, with ``items``, a mapping of key
    to file, to choose among them; else all keys as environment, with an optional ``prefix``. ``optional: true`` lets
    the job start without it.

    :param kind: ``SECRET`` or ``CONFIG_MAP``
    :param sources: a list of short forms
    :param parts: receives the result
    :param problems: receives what is wrong
    """
    if not isinstance(sources, list | tuple):
        problems.append(Problem(kind.argument, "", "expected a list", "put it in a list"))
        return
    for index, given in enumerate(sources):
        path = f"{kind.argument}[{index}]"
        source = _normalise(given)
        if not isinstance(source, Mapping) or not isinstance(source.get("name"), str) or not source["name"]:
            problems.append(Problem(path, "", "expected a name, or a mapping with a name"))
        elif unknown := sorted(str(key) for key in source if key not in _KEYS):
            problems.append(
                Problem(f"{path}.{unknown[0]}", "", "unknown field", f"known here: {', '.join(sorted(_KEYS))}")
            )
        else:
            _add(kind, source, path, parts, problems)


def _normalise(given: Any) -> Any:
    if isinstance(given, str):
        return {"name": given}
    return _from_secret_object(given) if hasattr(given, "deploy_type") else given


def _from_secret_object(given: Any) -> dict[str, Any]:
    """The ``Secret`` of Airflow's Kubernetes provider, known by its attributes."""
    name, target, key = given.secret, given.deploy_target, given.key
    if given.deploy_type == "volume":
        items = {entry.key: entry.path for entry in getattr(given, "items", None) or ()}
        return {"name": name, "mount_path": target, "items": items or ({key: key} if key else None)}
    return {"name": name, "env": {target: key}} if target and key else {"name": name}


def _add(kind: Kind, source: Mapping[str, Any], path: str, parts: Parts, problems: list[Problem]) -> None:
    if not isinstance(source.get("optional"), bool | None):
        problems.append(Problem(f"{path}.optional", "", "expected True or False"))
    optional = {"optional": True} if source.get("optional") else {}
    if source.get("mount_path"):
        _add_volume(kind, source, path, optional, parts, problems)
    elif source.get("env") is not None:
        if not isinstance(source["env"], Mapping):
            problems.append(Problem(f"{path}.env", "", "expected a mapping of variable name to key"))
            return
        for variable, key in source["env"].items():
            reference = {"name": source["name"], "key": key, **optional}
            parts.env.append({"name": variable, "valueFrom": {kind.key_ref: reference}})
    else:
        entry: dict[str, Any] = {kind.env_from: {"name": source["name"], **optional}}
        parts.env_from.append({"prefix": source["prefix"], **entry} if source.get("prefix") else entry)


def _add_volume(
    kind: Kind,
    source: Mapping[str, Any],
    path: str,
    optional: dict[str, bool],
    parts: Parts,
    problems: list[Problem],
) -> None:
    items = source.get("items")
    if items is not None and not isinstance(items, Mapping):
        problems.append(Problem(f"{path}.items", "", "expected a mapping of key to file name"))
        return
    volume = f"armada-{kind.volume.lower()}-{len(parts.volumes)}"
    content: dict[str, Any] = {kind.volume_name: source["name"], **optional}
    if items:
        content["items"] = [{"key": key, "path": file} for key, file in items.items()]
    parts.volumes.append({"name": volume, kind.volume: content})
    parts.volume_mounts.append({"name": volume, "mountPath": source["mount_path"], "readOnly": True})
