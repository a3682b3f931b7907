"""What a follower sees, written to the log of the task: in the triggerer and on the worker alike."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from airflow_armada import _metrics
from airflow_armada.client.timestamps import moment
from airflow_armada.wait.log_pipe import unread, until_read
from airflow_armada.wait.log_record import LogRecord
from airflow_armada.wait.log_writer import LogWriter

JOB_LOGGER = "armada.job"
POD_LOGGER = "armada.pod"
"""Names of the loggers, by which the Airflow UI can filter: the provider's own lines and the job's."""

_OWN = " "
"""Stands for ourselves among the containers."""

_LAST_LINES = 10
LAST_LINE_LENGTH = 300
"""Characters of each of the last lines that are remembered."""

_KEPT_RECORDS = 200
_KEPT_CHARACTERS = 16_000
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


@cache
def _writer() -> LogWriter:
    """Give what writes for all tasks of the process."""
    return LogWriter()


def _write_all(records: Sequence[LogRecord]) -> None:
    for record in records:
        record.write()


def _now() -> datetime:
    return datetime.now(UTC)


class TaskLogReporter:
    """
    Write to the log of the task that creates this reporter, from whatever task of the event loop.

    Airflow routes a line by context variables, and the watches that call :meth:`state` run outside any trigger's
    context; so the context is remembered here.

    :param name_containers: whether each line of the job's log says which container wrote it.
    :param keep: whether to keep the newest records for :meth:`kept_records`.
    :param in_triggerer: whether it writes where Airflow may not read all of it, see :meth:`not_read`; and where another
        triggerer may write the same lines again. Airflow shows them once if no two of them share a millisecond.
    :param shown_until: by container, the time of the last line that another process has shown. Airflow merges the log
        files of a task by milliseconds, and within one by the number of the line; so what follows begins in the next.
    """

    def __init__(
        self,
        *,
        name_containers: bool = True,
        keep: bool = False,
        in_triggerer: bool = False,
        shown_until: Mapping[str, str] | None = None,
    ) -> None:
        self._name_containers = name_containers
        self._context = contextvars.copy_context()
        self._pending: list[LogRecord] = []
        self._writing = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._last_times = {name: _next_millisecond(at) for name, at in (shown_until or {}).items()}
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._kept: deque[LogRecord] = deque(maxlen=_KEPT_RECORDS if keep else 0)
        self._in_triggerer = in_triggerer
        self._not_read: dict[str, tuple[str, datetime | None]] = {}

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        """Take one line about the job; its own time puts it where it belongs among the job's log lines."""
        self._add([LogRecord(JOB_LOGGER, self._time_of(_OWN, at), text, level=level)])
        flush = asyncio.ensure_future(self.flush())
        self._flushes.add(flush)
        flush.add_done_callback(self._flushes.discard)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Take lines of the job's log; returns when they are written, which slows down a reader that is too fast."""
        if self._in_triggerer and lines:
            if not self._pending and not self._writing.locked() and not unread():
                self._not_read.clear()
            self._not_read.setdefault(container, (lines[0][0], self._last_times.get(container)))
        name = container if self._name_containers else ""
        self._add([LogRecord(POD_LOGGER, self._time_of(container, at), text, name) for at, text in lines])
        self.remember(lines)
        await self.flush()

    def remember(self, lines: Sequence[tuple[str, str]]) -> None:
        """Keep the last lines, for the error of a job that fails."""
        self._last_lines.extend(text[:LAST_LINE_LENGTH] for _, text in lines[-_LAST_LINES:])
        _metrics.incr(_metrics.LOG_LINES, len(lines))

    async def flush(self) -> None:
        """Write what is waiting."""
        async with self._writing:
            batch, self._pending = self._pending, []
            if batch:
                await _writer().write(len(batch), partial(self._context.run, _write_all, batch))

    async def not_read(self, bound: float) -> dict[str, list[Any]]:
        """
        Wait until Airflow has read what was written: it drops the rest once the trigger has finished.

        :param bound: s to wait at most.
        :return: by container, the position in its log of the first line of which it is not known, for
            ``Outcome.log_positions``; empty when all was read.
        """
        await self.flush()
        if await until_read(bound):
            self._not_read.clear()
        return {name: [timestamp, 0] for name, (timestamp, _) in self._not_read.items()}

    def shown_until(self) -> dict[str, str]:
        """Give, by container, the time of its last line that was shown."""
        read = {name: at for name, (_, at) in self._not_read.items()}
        times = {name: at for name, at in (self._last_times | read).items() if name != _OWN}
        return {name: _format(at) for name, at in times.items() if at is not None}

    def last_lines(self) -> list[str]:
        """Give the last lines of the job's log that were shown, each cut to a readable length."""
        return list(self._last_lines)

    def kept_records(self) -> list[dict[str, Any]]:
        """Give the newest records as builtins, as many as an event can carry."""
        kept: list[dict[str, Any]] = []
        size = 0
        for record in reversed(self._kept):
            size += len(record.text) + 80
            if size > _KEPT_CHARACTERS:
                break
            kept.append(asdict(record))
        return kept[::-1]

    def _add(self, records: list[LogRecord]) -> None:
        self._pending.extend(records)
        self._kept.extend(records)

    def _time_of(self, container: str, timestamp: str) -> str:
        return self._time(container, moment(timestamp) or _now())

    def _time(self, source: str, at: datetime) -> str:
        """Give a time that is later than the last one of its source: Airflow drops a record equal to the last."""
        if last := self._last_times.get(source):
            at = max(at, _millisecond(last) + _MILLISECOND if self._in_triggerer else last + _MICROSECOND)
        if self._in_triggerer:
            at = _apart(at, own=source == _OWN)
        self._last_times[source] = at
        return _format(at)


def _format(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _next_millisecond(timestamp: str) -> datetime:
    at = moment(timestamp) or _now()
    return _millisecond(at) + _MILLISECOND - _MICROSECOND


def _apart(at: datetime, *, own: bool) -> datetime:
    """Move a time so that the provider's own lines stand in even milliseconds, and those of the job in odd ones."""
    odd = at.microsecond // 1000 % 2 == 1
    return at if odd != own else _millisecond(at) + _MILLISECOND


def _millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def write_again(records: Sequence[dict[str, Any]]) -> None:
    """
    Write records that a trigger has shown before, with their own times.

    They come out equal to the first ones in every field, so that Airflow's log reader, where it finds both, shows one.

    :param records: from :meth:`TaskLogReporter.kept_records`.
    """
    for record in records:
        LogRecord(**record).write()
