"""The volumes of a pod: folders within its private one, seen by its containers where they mount them.

What cannot be had here is refused by its name when the pod starts; nothing is ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from airflow_armada.api.core_v1_pb2 import Container, PodSpec, Volume
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.resource_amounts import amount_of
from airflow_armada.standalone.runner.environment import CannotStart

FOLDER = "volumes"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Bind(NamedTuple):
    """A folder or file that a container sees at a path.

    :param in_memory: whether it counts as memory of the container
    """

    source: str
    target: str
    read_only: bool
    in_memory: bool = False


class Volumes:
    """The volumes of one pod.

    :param folder: the pod's private folder
    :param provided: the config maps, secrets and host paths that there are
    :raises CannotStart: one of them cannot be had
    """

    def __init__(self, spec: PodSpec, folder: Path, provided: Provided) -> None:
        self._folder = folder / FOLDER
        self._provided = provided
        self._limits: dict[str, Fraction] = {}
        self._in_memory: set[str] = set()
        self._sources = {volume.name: self._made(volume) for volume in spec.volumes}

    def binds(self, container: Container) -> list[Bind]:
        """Return what a container mounts, the outer ones first.

        :raises CannotStart: it mounts what there is not
        """
        mounts = sorted(container.volumeMounts, key=lambda mount: mount.mountPath)
        return [self._bind(container, mount) for mount in mounts]

    def _bind(self, container: Container, mount: Any) -> Bind:
        source = self._sources.get(mount.name)
        where = f"container {container.name}: volume mount {mount.mountPath!r}"
        if source is None:
            raise CannotStart(f'{where} names the volume "{mount.name}", which the pod does not have')
        parts = Path(mount.mountPath).parts
        if not mount.mountPath.startswith("/") or ".." in parts or len(parts) < 2:
            raise CannotStart(f"{where} must be an absolute path other than /, without ..")
        if mount.subPathExpr or mount.mountPropagation not in ("", "None"):
            raise CannotStart(f"{where}: subPathExpr and mountPropagation are not supported by the embedded Armada")
        inner, target = self._within(source, mount.subPath, where), Path(mount.mountPath)
        return Bind(str(inner), str(target), mount.readOnly, mount.name in self._in_memory)

    def _within(self, source: Path, sub_path: str, where: str) -> Path:
        if not sub_path:
            return source
        inner = source / sub_path
        if Path(sub_path).is_absolute() or ".." in Path(sub_path).parts:
            raise CannotStart(f"{where}: subPath must be relative, without ..")
        if not inner.exists():
            inner.mkdir(parents=True)
        if not inner.resolve().is_relative_to(source.resolve()):
            raise CannotStart(f"{where}: subPath leads out of the volume")
        return inner

    def _made(self, volume: Volume) -> Path:
        """Make a volume and return where it is."""
        if not _NAME.fullmatch(volume.name):
            raise CannotStart(f"the volume {volume.name!r} must be named in lower-case letters, digits and hyphens")
        source = volume.volumeSource
        kinds = [field.name for field, _ in source.ListFields()] or ["emptyDir"]
        if kinds == ["hostPath"]:
            return self._host_path(volume.name, source.hostPath.path)
        folder = self._folder / volume.name
        folder.mkdir(parents=True, mode=0o700)
        if kinds == ["emptyDir"]:
            if source.emptyDir.medium == "Memory":
                self._in_memory.add(volume.name)
            if source.emptyDir.HasField("sizeLimit"):
                self._limits[volume.name] = amount_of(source.emptyDir.sizeLimit)
        elif kinds == ["configMap"]:
            name = source.configMap.localObjectReference.name
            self._fill(volume.name, folder, "config map", name, self._provided.config_maps, source.configMap)
        elif kinds == ["secret"]:
            name = source.secret.secretName
            self._fill(volume.name, folder, "secret", name, self._provided.secrets, source.secret)
        else:
            raise CannotStart(f'volume "{volume.name}" is of the kind {kinds[0]}, which the embedded Armada has not')
        return folder

    def _host_path(self, name: str, path: str) -> Path:
        wanted = Path(path)
        allowed = [Path(one) for one in self._provided.host_paths]
        if not wanted.is_absolute() or not any(wanted.resolve().is_relative_to(one.resolve()) for one in allowed):
            raise CannotStart(
                f'volume "{name}" is the path {path!r} of this machine, which jobs see only if the embedded Armada is '
                "started with --allow-host-path"
            )
        if not wanted.exists():
            raise CannotStart(f'volume "{name}" is the path {path!r} of this machine, which does not exist')
        return wanted

    def _fill(
        self, volume: str, folder: Path, kind: str, name: str, known: Mapping[str, Mapping[str, str]], source: Any
    ) -> None:
        content = known.get(name)
        if content is None:
            if source.optional:
                return
            raise CannotStart(f'volume "{volume}": {kind} "{name}" not found; the server is given it by option')
        for key, path in _items(source.items, content):
            if key not in content:
                raise CannotStart(f'volume "{volume}": {kind} "{name}" has no key "{key}"')
            file = folder / path
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise CannotStart(f'volume "{volume}": the path {path!r} must be relative, without ..')
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content[key])

    def overfull(self) -> str:
        """Return which volume holds more than it may, or nothing."""
        for name, limit in self._limits.items():
            if folder_size(self._folder / name) > limit:
                return f'Usage of EmptyDir volume "{name}" exceeds the limit "{int(limit)}". '
        return ""


def _items(items: Iterable[Any], content: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(item.key, item.path) for item in items] or [(key, key) for key in content]


def folder_size(folder: Path) -> int:
    """Return the bytes that a folder's files take."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
    return total
