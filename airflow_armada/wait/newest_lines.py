"""A bound for what a worker prints of a log that a trigger could not show: it holds a slot meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_armada.follow.observer import JobObserver

_CHUNK = 200  # lines handed on at once


class NewestLines:
    """
    Holds lines of a log back until all are known, and passes on the newest of each container.

    :param inner: where they go.
    :param limit: how many lines of a container; 0 for all.
    """

    def __init__(self, inner: JobObserver, limit: int) -> None:
        self._inner = inner
        self._limit = limit
        self._held: dict[str, deque[tuple[str, str]]] = {}
        self._left_out: dict[str, int] = {}

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Pass on a line about the job."""
        self._inner.state(text, at, level)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Take lines of the job's log."""
        held = self._held.setdefault(container, deque(maxlen=self._limit or None))
        self._left_out[container] = self._left_out.get(container, 0) + len(lines) + len(held)
        held.extend(lines)
        self._left_out[container] -= len(held)

    async def release(self) -> None:
        """Pass on what was kept, and say what was not."""
        for container, held in self._held.items():
            if left_out := self._left_out[container]:
                of = f" of container {container}" if container else ""
                self._inner.state(
                    f"{left_out} lines of the log{of} are left out here: of those that were not shown live a worker "
                    f"shows the newest {self._limit} ([armada] rest_of_log_lines)"
                )
            lines = iter(held)
            while chunk := list(islice(lines, _CHUNK)):
                await self._inner.log_lines(container, chunk)
        self._held.clear()
