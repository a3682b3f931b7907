"""Where a follower's findings go: the task log, in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class JobObserver(Protocol):
    """Receives what a follower sees. One observer serves one job; its methods are called from the event loop."""

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Take one line about the job: a change of its state, or what it is waiting for.

        :param text: the line
        :param at: RFC 3339 time of the change, by Armada's clock; "" for now
        :param level: ``info``, ``warning`` or ``error``
        """

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Take lines of the job's own log, in order and each one once.

        :param container: the container's name, "" where the pod has one and its name was not asked for
        :param lines: pairs of RFC 3339 timestamp and text
        """
