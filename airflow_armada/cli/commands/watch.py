"""``airflow-armada watch``."""

from __future__ import annotations

import queue
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from typing import Any

from airflow_armada.cli.output import BAD, OK, Output, clean
from airflow_armada.cli.remote import client_of
from airflow_armada.client.event import Event
from airflow_armada.client.events.streams import EventStream
from airflow_armada.client.typings import EventType
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.outcome import SUCCEEDED
from airflow_armada.follow.state.progress import ENDED, NEW, JobProgress

_PHASES = ("unknown", "submitted", "queued", "leased", "pending", "running", "ended")
_TICK = 0.5
_SETTLED = 2.0
"""Seconds without an event after the end of the last job: others may be about to be submitted."""


def watch(arguments: Namespace, output: Output) -> int:
    """Show every change of the jobs of a job set."""
    jobs = _Jobs(output)
    with (
        client_of(arguments) as client,
        client.get_job_events_stream(arguments.queue, arguments.job_set) as stream,
    ):
        for event in _events(stream):
            if event is not None:
                jobs.take(event)
            elif not arguments.keep and jobs.settled():
                break
            output.progress(jobs.progress())
    output.line(jobs.progress())
    return OK if all(job.end == SUCCEEDED for job in jobs.states.values()) else BAD


class _Jobs:
    """The jobs of the set, as far as events have told of them."""

    def __init__(self, output: Output) -> None:
        self.states: dict[str, JobProgress] = {}
        self._output = output
        self._heard = time.monotonic()
        self._began = time.monotonic()

    def take(self, event: Event) -> None:
        """Fold an event, and print what it changed."""
        message: Any = event.message
        if event.type is EventType.unknown:
            return
        before = self.states.get(message.job_id, NEW)
        after = fold(before, event.type.value, message)
        self.states[message.job_id] = after
        self._heard = time.monotonic()
        if (after.phase, after.end) != (before.phase, before.end):
            self._print(message.job_id, after, _word(after), after.reason if after.end else "")
        elif after.notes > before.notes:
            self._print(message.job_id, after, "note", after.note)

    def settled(self) -> bool:
        """Whether all jobs have ended, and no new one has come for a moment."""
        ended = bool(self.states) and all(state.phase == ENDED for state in self.states.values())
        return ended and time.monotonic() - self._heard >= _SETTLED

    def progress(self) -> str:
        """One line about all jobs."""
        counts = Counter(_word(state) for state in self.states.values())
        ended = sum(state.phase == ENDED for state in self.states.values())
        parts = ", ".join(f"{count} {word}" for word, count in counts.items())
        elapsed = int(time.monotonic() - self._began)
        return (
            f"{ended}/{len(self.states)} jobs ended{f' ({parts})' if parts else ''}, {elapsed // 60}:{elapsed % 60:02}"
        )

    def _print(self, job_id: str, state: JobProgress, word: str, reason: str) -> None:
        where = " ".join(part for part in (state.cluster, state.node) if part)
        codes = dict(state.exit_codes)
        value = {"job": job_id, "time": state.at, "state": word, "reason": reason, "cluster": state.cluster}
        self._output.value({**value, "node": state.node, "exit_codes": codes, "ended": state.phase == ENDED})
        exits = ", ".join(f"{container} exited with {code}" for container, code in codes.items() if code)
        texts = [state.at[:19], job_id, word.ljust(9), where, exits]
        self._output.line("  ".join(clean(text) for text in (*texts, " ".join(reason.split())) if text))


def _word(state: JobProgress) -> str:
    return state.end or _PHASES[state.phase]


def _events(stream: EventStream) -> Iterator[Event | None]:
    """Give events as they come, and None whenever there was none for a while."""
    arrived: queue.Queue[Event | BaseException] = queue.Queue(maxsize=1000)
    threading.Thread(target=_read, args=(stream, arrived), daemon=True).start()
    while True:
        try:
            item = arrived.get(timeout=_TICK)
        except queue.Empty:
            yield None
            continue
        if isinstance(item, BaseException):
            raise item
        yield item


def _read(stream: EventStream, arrived: queue.Queue[Event | BaseException]) -> None:
    try:
        for message in stream:
            arrived.put(Event(message))
    except Exception as error:
        arrived.put(error)
