"""
The task logs of a simulated Airflow, as the real one keeps and shows them.

Each process that writes for a try has a file: the worker one for all segments of the try, each triggerer one of its
own, which a second deferral to the same triggerer begins anew. A reader sees them merged by the millisecond, and of
equal neighbours one. What a triggerer writes is read by its supervisor a little at a time; once it hears that the
trigger has finished, it closes the file, and what it reads later never gets there.
"""

from __future__ import annotations

import time
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field

from airflow_armada.wait.log_record import LogRecord

WRITER: ContextVar[LogFile | None] = ContextVar("WRITER", default=None)
"""The file of the process whose code runs."""


class Pipe:
    """
    What the triggerer has written and its supervisor has not read yet.

    :ivar pause: s that the supervisor takes for a line.
    """

    def __init__(self) -> None:
        self.pause = 0.001
        self._reads: deque[float] = deque()
        self._last = 0.0

    def write(self) -> float:
        """Put a line into the pipe, and tell when it is read."""
        self._last = max(self._last, time.monotonic()) + self.pause
        self._reads.append(self._last)
        return self._last

    def unread(self) -> int:
        """Stand in for :func:`airflow_armada.wait.log_pipe.unread`."""
        now = time.monotonic()
        while self._reads and self._reads[0] <= now:
            self._reads.popleft()
        return len(self._reads)


@dataclass
class LogFile:
    """
    What one process writes for a try.

    :param pipe: what it writes into; None for a worker, whose lines all arrive.
    """

    pipe: Pipe | None = None
    closed_at: float = float("inf")
    _lines: list[tuple[LogRecord, float]] = field(default_factory=list)

    def take(self, record: LogRecord) -> None:
        """Take a line."""
        self._lines.append((record, self.pipe.write() if self.pipe else 0.0))

    def close(self) -> None:
        """Take what is read from now on no more: the trigger has finished."""
        self.closed_at = min(self.closed_at, time.monotonic())

    def records(self) -> list[LogRecord]:
        """Give what arrived."""
        return [record for record, read_at in self._lines if read_at <= self.closed_at]


class TaskLogs:
    """
    The logs of a task, by try.

    :param pipe: of the triggerers.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._files: dict[int, dict[str, LogFile]] = {}

    @property
    def tries(self) -> list[int]:
        """The tries that have a log."""
        return list(self._files)

    def worker(self, number: int) -> LogFile:
        """Give the file that all segments of a try write to."""
        return self._files.setdefault(number, {}).setdefault("worker", LogFile())

    def triggerer(self, number: int, name: str) -> LogFile:
        """Begin the file of a triggerer; what it wrote for an earlier deferral of the try is gone."""
        file = self._files.setdefault(number, {})[name] = LogFile(self._pipe)
        return file

    def shown(self, number: int) -> list[LogRecord]:
        """Give the log of a try as a reader sees it."""
        lines = [
            (record.timestamp[:23], index, name, record)
            for name, file in self._files.get(number, {}).items()
            for index, record in enumerate(file.records())
        ]
        merged = [record for *_, record in sorted(lines, key=lambda line: line[:3])]
        return [one for one, before in zip(merged, [None, *merged], strict=False) if one != before]


def write(record: LogRecord) -> None:
    """Stand in for :meth:`LogRecord.write`."""
    file = WRITER.get()
    if file is not None:
        file.take(record)
