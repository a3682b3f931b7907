"""One event stream for all followed jobs of a job set."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from airflow_armada.follow import background
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.state.progress import UNKNOWN
from airflow_armada.follow.stream.copies import Copies
from airflow_armada.follow.stream.event_stream import EventStream
from airflow_armada.follow.stream.slim_events import id_at, time_of
from airflow_armada.follow.stream.tracked_job import TrackedJob
from airflow_armada.follow.timings import Timings

logger = logging.getLogger(__name__)


class JobSetWatch:
    """Watches one job set while somebody follows a job of it. An event costs one look-up by job id, and only the
    followers of that job wake; what is kept is the state of the followed jobs, whatever the size of the set.

    :param queue: the queue of the job set
    :param job_set_id: its id
    :param channel: the channel to open the stream on
    :param timings: waiting times
    """

    def __init__(self, queue: str, job_set_id: str, channel: Any, timings: Timings) -> None:
        self.queue = queue
        self.job_set_id = job_set_id
        self.jobs: dict[str, TrackedJob] = {}
        self.unused_since: float | None = None
        self.refused_since: float | None = None
        self.announced = False
        self.announcement: asyncio.Task[None] | None = None
        self.channel = channel
        self._copies = Copies()
        self._timings = timings
        self._stream: EventStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def stream(self) -> EventStream:
        """The stream, which the first join opens."""
        assert self._stream is not None, "a watch has no stream before somebody joins it"
        return self._stream

    def join(self, job: FollowedJob) -> TrackedJob:
        """Follow a job of this set; every join is answered by one :meth:`leave`."""
        tracked = self.jobs.get(job.job_id)
        if tracked is None:
            tracked = self.jobs[job.job_id] = TrackedJob(job)
            self._copies.follow(tracked)
        tracked.followers += 1
        self.unused_since = None
        if self._task is None:
            self._open(id_at(max(job.submitted_at - self._timings.look_back, time.time() - self._timings.recent)))
        return tracked

    def leave(self, tracked: TrackedJob) -> None:
        """Stop following a job; the last one out leaves the watch unused, for its owner to close after a while."""
        tracked.followers -= 1
        if not tracked.followers:
            self.jobs.pop(tracked.job.job_id, None)
            self._copies.forget(tracked)
        if not self.jobs:
            self.unused_since = self._loop.time()

    def use(self, channel: Any) -> None:
        """Go on with another channel; no event is lost, and what was refused on the old one is asked for again."""
        self.channel = channel
        self.refused_since = None
        if self._stream is not None:
            self._stream.use(channel)

    def covers(self, job: FollowedJob) -> bool:
        """Whether every event of a job is still to come on the stream, so that joining needs no snapshot."""
        return time_of(self.stream.position) <= job.submitted_at - self._timings.look_back

    def has_told_all(self, tracked: TrackedJob) -> bool:
        """Whether the stream has told all that is stored of a job, as far as one can see."""
        return tracked.state.phase != UNKNOWN and not tracked.late and self.stream.current

    def revive(self) -> None:
        """Open the stream again, from where it stands, if what kept it open has ended; nobody ends it on purpose."""
        if self._task is not None and self._task.done():
            logger.error("The watch of job set %s has ended; it is begun again", self.job_set_id)
            self._open(self.stream.position)

    async def close(self) -> None:
        """End the stream and everything that runs for it."""
        await background.end(self._task, self.announcement)

    def _open(self, position: str) -> None:
        self._stream = EventStream(self.channel, self.queue, self.job_set_id, position, self._receive, self._timings)
        self._task = background.spawn(self._stream.run(), f"armada watch {self.queue}/{self.job_set_id}")

    def _receive(self, messages: Sequence[Any]) -> None:
        """Fold the events of followed jobs, then wake the followers whose job has changed, once each."""
        jobs, now = self.jobs, self._loop.time()
        changed: dict[str, TrackedJob] = {}
        for message in messages:
            body = message.message
            kind = body.WhichOneof("events")
            if kind is None:
                continue
            event = getattr(body, kind)
            job_id = event.job_id
            tracked = jobs.get(job_id)
            try:
                if kind == "submitted" and event.job.client_id:
                    self._copies.submitted(event.job.client_id, job_id)
                if tracked is None:
                    continue
                tracked.heard = now
                if tracked.fold(kind, event):
                    changed[job_id] = tracked
            except Exception:
                # An event that nobody foresaw must not end the watch.
                logger.exception("An event of job set %s could not be used", self.job_set_id)
        for tracked in changed.values():
            tracked.wake()
