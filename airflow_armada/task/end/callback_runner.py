"""Runs callbacks on a thread of their own, which nothing but the end of a segment waits for, and not for long."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_armada.callbacks import all_callbacks, heard
from airflow_armada.task.end.facts import facts

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.wait.job_wait import JobWait

_MOST_LINES = 10_000  # lines that wait for a slow callback
_PATIENCE = 30.0  # s for which a task waits for its callbacks before it goes on

log = logging.getLogger("airflow.task.operators.airflow_armada")


class CallbackRunner:
    """
    Tells the callbacks of a task of its job.

    Whoever tells something never waits, and no error of a callback reaches him.

    :param callbacks: the operator's argument.
    :param context: Airflow's context.
    :param patience: s for which :meth:`settle` waits.
    """

    def __init__(self, callbacks: Any, context: Mapping[str, Any], patience: float = _PATIENCE) -> None:
        self._methods = [heard(callback) for callback in all_callbacks(callbacks)]
        self._context = context
        self._patience = patience
        self._calls: deque[tuple[str, dict[str, Any]]] = deque()
        self._change = threading.Condition()
        self._busy = self._closed = False
        self._lines = self._missed = 0
        self._failed: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._ran: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._methods)

    def submitted(self, wait: JobWait) -> None:
        """Tell of a job that the task has got."""
        self._tell("submitted", job=wait.job, adopted=wait.adopted)

    def running(self, wait: JobWait, at: str, cluster: str, node: str) -> None:
        """Tell that a job has begun to run."""
        self._ran.add(wait.job_id)
        self._tell("running", job=wait.job, at=at, cluster=cluster, node=node)

    def lines(self, wait: JobWait, container: str, lines: Sequence[tuple[str, str]]) -> None:
        """Tell of lines of the job's log."""
        for at, text in lines:
            self._tell("line", job=wait.job, container=container, text=text, at=at)

    def ended(self, wait: JobWait, outcome: Outcome) -> None:
        """Tell of a job's end, and of its run where nobody has yet."""
        if outcome.running_at and wait.job_id not in self._ran:
            self.running(wait, outcome.running_at, outcome.cluster, outcome.node)
        what = {"status": outcome.status, "reason": outcome.reason, "facts": facts(wait, outcome)}
        self._tell("ended", job=wait.job, **what)

    def settle(self) -> None:
        """Wait until all has been told, but not for ever; what is late goes on beside the task."""
        until = time.monotonic() + self._patience
        with self._change:
            done = self._change.wait_for(lambda: not self._calls and not self._busy, until - time.monotonic())
            left, missed, failed = len(self._calls), self._missed, self._failed.copy()
            self._missed, self._failed = 0, Counter()
        if not done:
            log.warning("The task's callbacks are still busy after %g s; %d calls wait", self._patience, left)
        if missed:
            log.warning("The task's callbacks were too slow for %d lines of the job, and were not told of them", missed)
        for name, times in failed.items():
            if times > 1:
                log.warning("The callback %s has raised %d times; only the first error is shown", name, times)

    def close(self) -> None:
        """Tell nothing more, and let the thread end."""
        with self._change:
            self._closed = True
            self._calls.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(1.0)

    def _tell(self, method: str, **told: Any) -> None:
        if not any(method in methods for methods in self._methods):
            return
        with self._change:
            if self._closed:
                return
            if method == "line":
                if self._lines >= _MOST_LINES:
                    self._missed += 1
                    return
                self._lines += 1
            self._calls.append((method, told))
            self._change.notify_all()
            if self._thread is None:
                run = contextvars.copy_context().run
                self._thread = threading.Thread(target=run, args=(self._work,), name="armada-callbacks", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._change:
                self._busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._calls or self._closed)
                if self._closed:
                    return
                method, told = self._calls.popleft()
                self._busy = True
                self._lines -= method == "line"
            for methods in self._methods:
                if call := methods.get(method):
                    self._call(call, told)

    def _call(self, call: Any, told: dict[str, Any]) -> None:
        try:
            call(**told, context=self._context)
        except BaseException as error:  # whatever an author's code does: the job is worth more
            name = getattr(call, "__qualname__", str(call))
            self._failed[name] += 1
            if self._failed[name] == 1:
                log.warning("The callback %s raised %s: %s", name, type(error).__name__, error, exc_info=True)
