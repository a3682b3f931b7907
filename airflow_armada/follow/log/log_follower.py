"""Following a job's own log while it runs, and reading the rest of it when it has ended.

The log service answers unary calls only, so this pages: often while lines come, seldom while it is quiet. Trouble with
logs is told once and never fails a job.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from airflow_armada.client.errors import ArmadaError, NotFound
from airflow_armada.client.foreign_text import storable
from airflow_armada.client.log_cursor import BEGINNING, Line, LogCursor, Page, Position
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.log.budget import JobBudget
from airflow_armada.follow.log.lines import printable
from airflow_armada.follow.observer import JobObserver
from airflow_armada.follow.refusal import is_refusal
from airflow_armada.follow.state.outcome import LOG_GONE
from airflow_armada.follow.timings import Timings

_CHUNK = 200
_CHUNK_BYTES = 65_536
"""Lines handed over at once, and their bytes; between two chunks the event loop may do something else."""

_PIECES_AT_ONCE = 10
"""Pieces of a long line made in one turn of the event loop: of 8 KB each, which is up to 3 ms."""

_CHOOSE = re.compile(r"choose one of: \[([^\]]*)\]")
_STARTING = re.compile(r"is waiting to start|PodInitializing|ContainerCreating")
_MOST_CONTAINERS = 100
_NOTED_AFTER = 3
"""Failures in a row after which the log trouble is worth a line."""


LineFilter = Callable[[str, bytes], Sequence[bytes]]
"""Given a container and a line of its log, tells what is to be shown."""


class LogService(Protocol):
    """Reads pages of logs in the cluster where the job is, no more than the site's share at a time."""

    readers: int
    budget_waits: int

    def available(self, cluster: str) -> bool: ...

    def pace(self) -> float: ...

    async def page(self, cluster: str, job: FollowedJob, container: str, since_time: str) -> Sequence[Line]: ...


class LogFollower:
    """Hands the log of one job to an observer, each line once and in order.

    :param service: where to read
    :param job: the job
    :param cluster: tells the cluster of its present run, "" while there is none
    :param observer: where the lines go
    :param containers: names of its containers; empty for the only one
    :param positions: how far the log has been shown before, as in ``Outcome.log_positions``
    :param budget: how many lines may be shown live; None for all
    :param timings: waiting times
    :param line_filter: gives what is to be shown of a line, as it was printed; None for all of it
    :param patient: whether refusals are waited out at the end as well: a token may be renewed meanwhile
    """

    def __init__(
        self,
        service: LogService,
        job: FollowedJob,
        cluster: Callable[[], str],
        observer: JobObserver,
        containers: Sequence[str],
        positions: Mapping[str, Sequence[Any]],
        budget: JobBudget | None,
        timings: Timings,
        line_filter: LineFilter | None = None,
        *,
        patient: bool = False,
    ) -> None:
        names = tuple(containers) or tuple(positions) or ("",)
        self._cursors = {name: LogCursor(Position.parse(positions.get(name))) for name in names}
        self._service = service
        self._job = job
        self._cluster = cluster
        self._observer = observer
        self._budget = budget
        self._line_filter = line_filter
        self._patient = patient
        self._timings = timings
        self._failures = 0
        self._noted = ""
        self._ending = asyncio.Event()
        self._drained: set[str] = set()
        self._gaps: dict[str, str] = {}
        self._refused = False
        self._left_out: set[str] = set()

    @property
    def positions(self) -> dict[str, list[Any]]:
        """How far the log has been shown, for ``Outcome.log_positions``."""
        return {name: list(cursor.position) for name, cursor in self._cursors.items() if cursor.position != BEGINNING}

    @property
    def gap(self) -> str:
        """Why something of the log could not be read, for ``Outcome.log_gap``."""
        return next(iter(self._gaps.values()), "")

    def end(self) -> None:
        """Let :meth:`run` come to its end: the job has ended."""
        self._ending.set()

    async def run(self) -> bool:
        """Show lines as they come until :meth:`end` is called, then what is left, before the pod is deleted.

        :return: whether all of the log that could be had was shown
        """
        self._service.readers += 1
        try:
            await self._follow()
            return await self._finish()
        finally:
            self._service.readers -= 1

    async def _follow(self) -> None:
        quiet = 0
        while not self._ending.is_set():
            quiet = 0 if await self._round() else quiet + 1
            pause = min(self._timings.log_interval * 2 ** min(quiet, 10), self._timings.max_log_interval)
            # Who waits for a turn makes no call before it has come.
            await self._pause(self._timings.log_interval if self._left_out else pause * self._service.pace())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return

    async def _finish(self) -> bool:
        if self._budget:
            self._budget.end()
        begun = time.monotonic()
        while not self._refused:
            for name in [name for name in self._cursors if name not in self._drained]:
                await self._drain(name)
            if self._drained.issuperset(self._cursors):
                return True
            patience = self._timings.budget_tail if self._left_out else self._timings.log_tail
            if time.monotonic() + self._timings.log_interval > begun + patience:
                break
            await asyncio.sleep(self._timings.log_interval)
        return False

    async def _round(self) -> bool:
        """Look once at every container; true if there was anything new."""
        shown = False
        for name in list(self._cursors):
            before = self._position(name)
            try:
                while await self._advance(name):
                    pass
                self._failures = 0
            except ArmadaError as error:
                self._trouble(name, error)
            shown = shown or self._position(name) != before
            if name in self._left_out and name in self._cursors:
                self._cursors[name] = self._cursors.pop(name)  # the others come before it the next time
        return shown

    def _position(self, name: str) -> Position | None:
        cursor = self._cursors.get(name)
        return cursor.position if cursor else None

    async def _drain(self, name: str) -> None:
        """Show a container's log to its end, if that works now."""
        self._gaps.pop(name, None)
        try:
            while await self._advance(name):
                pass
        except NotFound:
            self._note(f"{LOG_GONE}; what it wrote last may be missing here")
            self._gaps[name] = LOG_GONE
            self._drained.add(name)
        except ArmadaError as error:
            self._gaps[name] = str(error)
            self._trouble(name, error)
            self._refused = self._refused or (is_refusal(error) and not self._patient)
        else:
            if name not in self._left_out:
                self._drained.add(name)

    async def _advance(self, name: str) -> bool:
        """Show what is new on one page; true if the next page is worth asking for at once."""
        cluster = self._cluster()
        if not cluster:
            self._gaps[name] = "its cluster is not known"
            return False
        turn = self._budget.available() if self._budget else None
        if turn == 0:
            self._leave_out(name)
            return False
        if not self._service.available(cluster):
            self._gaps[name] = f"the connection names no log service for cluster {cluster}"
            self._note(f"{self._gaps[name]}, so its log is not shown here")
            return False
        cursor = self._cursors[name]
        page = cursor.read(await self._service.page(cluster, self._job, name, cursor.since))
        if page.skips:
            self._note("more than 2 MB within one second: the log service gives no more of it, some lines are missing")
        if not await self._show(name, cursor, page, turn):
            self._leave_out(name)
            return False
        if not page.more:
            self._catch_up(name)
        return page.more

    def _leave_out(self, name: str) -> None:
        """Note that the budget does not admit what there is."""
        if name not in self._left_out:
            self._left_out.add(name)
            self._service.budget_waits += 1
        if self._budget:
            self._budget.wait()

    def _catch_up(self, name: str) -> None:
        self._left_out.discard(name)
        if self._budget and not self._left_out:
            self._budget.caught_up()

    async def _show(self, name: str, cursor: LogCursor, page: Page, turn: int | None) -> bool:
        """Show the new lines of a page; false if the budget did not admit all of them.

        :param turn: how many were allowed before the page was fetched, which for a job that waits is its turn
        """
        index = page.start
        room = len(page.lines) if turn is None else turn
        if self._budget and not self._budget.waits:
            room = self._budget.available()
        while index < len(page.lines) and room > 0:
            chunk: list[tuple[str, str]] = []
            size = 0
            while index < len(page.lines) and len(chunk) < min(_CHUNK, room) and size < _CHUNK_BYTES:
                line = page.lines[index]
                chunk += await self._pieces(name, line)
                size += len(line.line)
                index += 1
            if self._budget:
                self._budget.take(len(chunk))
                room -= len(chunk)
            if chunk:
                await self._observer.log_lines(name, chunk)
            cursor.move(page, index)
            await asyncio.sleep(0)
        return index == len(page.lines)

    async def _pieces(self, name: str, line: Line) -> list[tuple[str, str]]:
        """Make what is to be shown of a line; a line of megabytes has hundreds of pieces."""
        kept = self._line_filter(name, line.line) if self._line_filter else (line.line,)
        pieces: list[tuple[str, str]] = []
        for part in kept:
            for text in printable(part):
                pieces.append((line.timestamp, text))
                if len(pieces) % _PIECES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return pieces

    def _trouble(self, name: str, error: ArmadaError) -> None:
        text = str(error)
        choice = _CHOOSE.search(text)
        if choice and name == "":
            del self._cursors[""]
            self._gaps.pop("", None)
            names = storable(choice[1]).replace(",", " ").split()[:_MOST_CONTAINERS]
            self._cursors.update((found, LogCursor()) for found in names)
            return
        if isinstance(error, NotFound) or _STARTING.search(text):
            return
        self._failures += 1
        if self._failures == _NOTED_AFTER:
            self._note(f"its log cannot be read for now: {text}")

    def _note(self, text: str) -> None:
        if text != self._noted:
            self._noted = text
            self._observer.state(storable(f"Job {self._job.job_id}: {text}"))
