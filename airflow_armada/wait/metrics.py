"""What the triggers of a process do together, and what becomes of each job, as metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_armada import _metrics
from airflow_armada.client.timestamps import moment

if TYPE_CHECKING:
    from airflow_armada.follow.site import Site
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.follow.stream.event_stream import EventStream
    from airflow_armada.wait.job_wait import JobWait

INTERVAL = 5.0
"""s between two reports; unused watches live about as long, so hardly an event goes uncounted."""


class SiteMetrics:
    """
    Reports what a site does: gauges as they are, counters by what has come since the report before.

    :param site: a site of the running event loop.
    """

    def __init__(self, site: Site) -> None:
        self.users = 0
        self._site = site
        self._events: WeakKeyDictionary[EventStream, int] = WeakKeyDictionary()
        self._opened: WeakKeyDictionary[EventStream, int] = WeakKeyDictionary()
        self._snapshots = site.snapshots.calls
        self._log_calls = site.logs.calls
        self._budget_waits = site.logs.budget_waits

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.report()

    def report(self) -> None:
        """Send all metrics of the site once."""
        target = self._site.settings.target
        watches = list(self._site.watches.values())
        streams = [watch.stream for watch in watches]
        down = sum(stream.down_since is not None for stream in streams)
        _metrics.gauge(_metrics.JOBS_FOLLOWED, sum(len(watch.jobs) for watch in watches), site=target)
        _metrics.gauge(_metrics.STREAMS_OPEN, len(streams) - down, site=target)
        _metrics.gauge(_metrics.STREAMS_DOWN, down, site=target)
        self._count(streams, target)

    def _count(self, streams: list[EventStream], target: str) -> None:
        told = [stream for stream in streams if stream.events > self._events.get(stream, 0)]
        if told:
            _metrics.gauge(_metrics.EVENT_LAG, max(stream.lag for stream in told), site=target)
        events = sum(stream.events - self._events.get(stream, 0) for stream in streams)
        opened = sum(stream.opened - self._opened.get(stream, 1) for stream in streams if stream.opened)
        self._events.update((stream, stream.events) for stream in streams)
        self._opened.update((stream, stream.opened) for stream in streams if stream.opened)
        snapshots, log_calls, waits = self._site.snapshots.calls, self._site.logs.calls, self._site.logs.budget_waits
        _metrics.incr(_metrics.EVENTS, events, site=target)
        _metrics.incr(_metrics.RECONNECTS, opened, site=target)
        _metrics.incr(_metrics.SNAPSHOT_CALLS, snapshots - self._snapshots, site=target)
        _metrics.incr(_metrics.LOG_CALLS, log_calls - self._log_calls, site=target)
        _metrics.incr(_metrics.LOG_BUDGET_WAITS, waits - self._budget_waits, site=target)
        self._snapshots, self._log_calls, self._budget_waits = snapshots, log_calls, waits


_REPORTING: WeakKeyDictionary[Site, tuple[SiteMetrics, asyncio.Task[None]]] = WeakKeyDictionary()


@contextmanager
def reported(site: Site) -> Iterator[None]:
    """
    Report the metrics of a site as long as anybody in this process is in such a block.

    :param site: the site that the caller uses.
    """
    from airflow_armada.follow.background import spawn

    if site not in _REPORTING:
        metrics = SiteMetrics(site)
        _REPORTING[site] = metrics, spawn(metrics.run(), f"armada metrics {site.settings.target}")
    metrics, task = _REPORTING[site]
    metrics.users += 1
    try:
        yield
    finally:
        metrics.users -= 1
        if not metrics.users:
            del _REPORTING[site]
            task.cancel()
            metrics.report()


def count_end(wait: JobWait, outcome: Outcome) -> None:
    """
    Send the metrics of a job's end.

    :param wait: the job.
    :param outcome: its end, or the end of the wait for it.
    """
    _metrics.incr(_metrics.JOB_END, queue=wait.job.queue, status=outcome.status)
    _metrics.incr(f"{_metrics.JOB_END}.{outcome.status}", queue=wait.job.queue)
    if finished := moment(outcome.finished_at):
        lasted, lag = finished.timestamp() - wait.submitted_at, time.time() - finished.timestamp()
        _metrics.timing(_metrics.JOB_TIME, lasted, queue=wait.job.queue, status=outcome.status)
        _metrics.timing(_metrics.END_LAG, lag, queue=wait.job.queue)
