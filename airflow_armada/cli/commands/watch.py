"""``airflow-armada watch``."""

from __future__ import annotations

import queue
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator

from airflow_armada.cli.job_states import JobStates, JobView
from airflow_armada.cli.output import BAD, OK, Output
from airflow_armada.cli.remote import client_of
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.event import Event
from airflow_armada.client.events.streams import EventStream
from airflow_armada.client.foreign_text import printable
from airflow_armada.follow.state.progress import JobProgress

_TICK = 0.5
_SETTLED = 2.0
"""Seconds without an event after the end of the last job: others may be about to be submitted."""


def watch(arguments: Namespace, output: Output) -> int:
    """Show every change of the jobs of a job set."""
    with client_of(arguments) as client:
        states = watch_job_set(client, arguments.queue, arguments.job_set, output, keep=arguments.keep)
    return OK if states.all_succeeded else BAD


def watch_job_set(
    client: ArmadaClient,
    queue_name: str,
    job_set: str,
    output: Output,
    *,
    keep: bool = False,
    wanted: Callable[[str], bool] = lambda job_id: True,
) -> JobStates:
    """
    Show every change of jobs until all of them have ended.

    :param client: of the site
    :param queue_name: queue of the jobs
    :param job_set: their job set
    :param output: where to show them
    :param keep: whether to go on when all have ended
    :param wanted: tells by its id whether a job is meant
    :return: the jobs
    """
    states, began, heard = JobStates(), time.monotonic(), time.monotonic()

    def progress() -> str:
        elapsed = int(time.monotonic() - began)
        return f"{states.summary()}, {elapsed // 60}:{elapsed % 60:02}"

    with client.get_job_events_stream(queue_name, job_set) as stream:
        for event in _events(stream):
            if event is not None and wanted(getattr(event.message, "job_id", "")):
                heard = time.monotonic()
                if change := states.take(event):
                    _show(*change, output)
            elif not keep and states.all_ended and time.monotonic() - heard >= _SETTLED:
                break
            output.progress(progress())
    output.line(progress())
    return states


def _show(view: JobView, before: JobProgress, output: Output) -> None:
    now = view.progress
    if (now.phase, now.end) != (before.phase, before.end):
        word, text = view.word, view.reason
    elif now.notes > before.notes:
        word, text = "note", now.note
    else:
        return
    output.value({**view.to_dict(), "state": word, "reason": text})
    where = " ".join(part for part in (now.cluster, now.node) if part)
    texts = [now.at[11:19] or now.at, view.job_id, view.task, word.ljust(9), where, view.exits, " ".join(text.split())]
    output.line(output.fit("  ".join(printable(text) for text in texts if text)))


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
