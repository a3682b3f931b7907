"""Takes the result that a job prints out of its log, on its way to the task log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_armada.follow.log.lines import MAX_BYTES

if TYPE_CHECKING:
    from airflow_armada.follow.observer import JobObserver
    from airflow_armada.jobs.results import ResultCollector

_PIECE = MAX_BYTES - 3  # a piece ends before the character that would not fit


class ResultReporter:
    """
    A reporter that keeps the result and passes on the rest.

    :param inner: where the rest goes.
    :param collector: receives every line.
    :param shows: tells of a container, by its name, whether its lines are passed on.
    """

    def __init__(self, inner: JobObserver, collector: ResultCollector, shows: Callable[[str], bool]) -> None:
        self._inner = inner
        self._collector = collector
        self._shows = shows

    def state(self, text: str, at: str = "") -> None:
        """Pass on a line about the job."""
        self._inner.state(text, at)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Take lines of the job's log."""
        shown: list[tuple[str, str]] = []
        for pieces in _whole_lines(lines):
            line = "".join(text for _, text in pieces)
            rest = self._collector.feed(line)
            if rest == line:
                shown += pieces
            elif rest is not None:
                shown.append((pieces[0][0], rest))
        if shown and self._shows(container):
            await self._inner.log_lines(container, shown)


def _whole_lines(lines: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Put the pieces of long lines together again: the log follower splits them, all in one call."""
    groups: list[list[tuple[str, str]]] = []
    for at, text in lines:
        if groups and groups[-1][-1][0] == at and len(groups[-1][-1][1].encode()) >= _PIECE:
            groups[-1].append((at, text))
        else:
            groups.append([(at, text)])
    return groups
