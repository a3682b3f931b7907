"""What Kubernetes gives every container beside its volumes: ``/dev/termination-log`` and ``/dev/shm``.

A container gets them if it names them: in its command, its arguments, its variables or, for the first,
``terminationMessagePath``. They need mounts of its own, which make a start slower, and which not every user may have.
"""

from __future__ import annotations

from pathlib import Path

from airflow_armada.api.core_v1_pb2 import Container
from airflow_armada.standalone.runner.container_log import ContainerLog
from airflow_armada.standalone.runner.volumes import Bind

TERMINATION_LOG = "/dev/termination-log"
SHARED_MEMORY = "/dev/shm"
# Kubernetes' limits of a container's message, and of the log that may stand for it.
MESSAGE_BYTES = 4096
LOG_BYTES, LOG_LINES = 2048, 80


def _names(container: Container, path: str) -> bool:
    texts = (*container.command, *container.args, *(variable.value for variable in container.env))
    return any(path in text for text in texts)


class TerminationLog:
    """Where a container may leave a message for people before it ends.

    :param folder: the pod's private folder
    """

    def __init__(self, container: Container, folder: Path) -> None:
        self._container = container
        self._path = container.terminationMessagePath or TERMINATION_LOG
        self._file = folder / f"termination-{container.name}"

    def binds(self) -> list[Bind]:
        """Return what the container needs to be able to write it."""
        if not self._container.terminationMessagePath and not _names(self._container, TERMINATION_LOG):
            return []
        self._file.touch(mode=0o666)
        return [Bind(str(self._file), self._path, read_only=False)]

    def message(self, exit_code: int, log: ContainerLog) -> str:
        """Return what the container has left, or the end of its log where that stands for it."""
        if self._file.exists():
            with self._file.open("rb") as file:
                content = file.read(MESSAGE_BYTES)
            if content:
                return content.decode("utf-8", "replace")
        if exit_code and self._container.terminationMessagePolicy == "FallbackToLogsOnError":
            return log.tail(LOG_LINES)[-LOG_BYTES:].decode("utf-8", "replace")
        return ""


def shared_memory(container: Container, folder: Path) -> list[Bind]:
    """Return the pod's own ``/dev/shm``, if a container names it; it counts as memory."""
    if not _names(container, SHARED_MEMORY):
        return []
    folder.mkdir(mode=0o1777, exist_ok=True)
    return [Bind(str(folder), SHARED_MEMORY, read_only=False, in_memory=True)]
