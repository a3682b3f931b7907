"""Somebody besides the task log who sees what a follower sees of a job; only on a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_armada.follow.observer import JobObserver
    from airflow_armada.wait.job_wait import JobWait


class Witness(Protocol):
    """Receives what a follower sees, from the event loop; returns at once and raises nothing."""

    def running(self, wait: JobWait, at: str, cluster: str, node: str) -> None:
        """The job has begun to run."""

    def lines(self, wait: JobWait, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Lines of its log are shown."""


class Witnessed:
    """
    Hands on what an observer gets, and lets a witness see it.

    :param inner: the observer.
    :param wait: the job.
    :param witness: sees it.
    """

    def __init__(self, inner: JobObserver, wait: JobWait, witness: Witness) -> None:
        self._inner = inner
        self._wait = wait
        self._witness = witness

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Pass on a line about the job."""
        self._inner.state(text, at, level)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Pass on lines of the job's log."""
        self._witness.lines(self._wait, container, lines)
        await self._inner.log_lines(container, lines)
