"""The log of one job among several that a task waits for: in the task log by its name, or handed to a function."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent import futures

from airflow_armada.wait.task_log import TaskLogReporter

log = logging.getLogger("airflow.task.operators.airflow_armada")


class JobLines(TaskLogReporter):
    """
    Shows one job.

    :param name: its name, which stands at its lines.
    :param name_containers: whether the container that wrote a line stands there as well.
    :param take: is given each line of its log instead of the task log.
    :param loop: the event loop in which it is called.
    """

    def __init__(
        self, name: str, take: Callable[[str], object] | None, loop: asyncio.AbstractEventLoop, *, name_containers: bool
    ) -> None:
        super().__init__()
        self._name = name
        self._containers_too = name_containers
        self._take = take
        self._loop = loop

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Show lines of the job's log; returns when they were taken, which slows down a reader that is too fast."""
        if self._take is None:
            await super().log_lines(f"{self._name}/{container}" if self._containers_too else self._name, lines)
            return
        self.remember(lines)
        taken: futures.Future[None] = futures.Future()
        self._loop.call_soon_threadsafe(self._hand_over, self._take, [text for _, text in lines], taken)
        await asyncio.wrap_future(taken)

    def _hand_over(self, take: Callable[[str], object], lines: Sequence[str], taken: futures.Future[None]) -> None:
        try:
            for line in lines:
                take(line)
        except Exception as error:
            log.warning("The function that takes the log of job %s has failed: %r", self._name, error)
        finally:
            if taken.set_running_or_notify_cancel():
                taken.set_result(None)
