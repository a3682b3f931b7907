"""Following one job to its end: what triggers await and what workers run."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_armada.client.foreign_text import storable
from airflow_armada.follow import background
from airflow_armada.follow.deadlines import Deadlines
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.log.budget import JobBudget, LogBudget
from airflow_armada.follow.log.log_follower import LineFilter, LogFollower
from airflow_armada.follow.observer import JobObserver
from airflow_armada.follow.queue_notices import QueueNotices
from airflow_armada.follow.site import Site
from airflow_armada.follow.state import outcome as outcomes
from airflow_armada.follow.state import progress
from airflow_armada.follow.state.outcome import Outcome, to_outcome
from airflow_armada.follow.state.progress import JobProgress
from airflow_armada.follow.state.texts import addresses_text, phase_level, phase_text
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.tracked_job import TrackedJob

logger = logging.getLogger(__name__)

_LOOKS = 5
"""Looks at the query API for the run of a job whose log is wanted."""

_OVERTIME = 15.0
"""Seconds for log calls under way when the time for the tail of a log is up."""


@dataclass(frozen=True)
class FollowOptions:
    """How to follow a job.

    :param get_logs: whether to show the job's own log; if not, no log call is made
    :param containers: whose logs; those of the job by default
    :param log_positions: how far the log has been shown already, as in ``Outcome.log_positions``
    :param deadline: when to give up waiting for the end, in seconds since the epoch
    :param queued_deadline: when to give up waiting for the job to run, in seconds since the epoch
    :param explain_after: seconds of waiting in the queue before the scheduler is asked for its reason
    :param live_log_budget: how many lines may be shown live; None for all of them
    :param duplicate: called, on the loop and once for each, with the id of every further job that the submission of
        this one has made, as a pause of Armada's message bus makes it do; found by :attr:`FollowedJob.client_id`
    :param running: called, on the loop, with what is known of the job whenever it begins to run
    :param line_filter: gives what is to be shown of a line of the log, as it was printed; None for all of it
    """

    get_logs: bool = True
    containers: Sequence[str] = ()
    log_positions: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    deadline: float | None = None
    queued_deadline: float | None = None
    explain_after: float = 30.0
    live_log_budget: LogBudget | None = None
    duplicate: Callable[[str], None] | None = None
    running: Callable[[JobProgress], None] | None = None
    line_filter: LineFilter | None = None


async def follow(site: Site, job: FollowedJob, observer: JobObserver, options: FollowOptions | None = None) -> Outcome:
    """Wait until a job has ended, or a deadline has passed, and report what happens meanwhile.

    Transport trouble is waited out. Cancelling the caller only detaches it: the job goes on.

    :param site: from :func:`~airflow_armada.follow.site.shared_site`
    :param job: the job
    :param observer: where its transitions and its log go
    :param options: how to follow it
    :return: how it ended; with status ``timed_out`` or ``queued_too_long`` it is still alive
    :raises ArmadaError: when the server has refused us on every way for so long that waiting on makes no sense
    """
    await site.admit()
    watch, tracked = site.join(job)
    follower = _Follower(site, watch, tracked, observer, options or FollowOptions())
    try:
        return await follower.run()
    finally:
        watch.leave(tracked)
        await follower.stop()


class _Follower:
    __slots__ = (
        "_addresses",
        "_alarm",
        "_alarm_at",
        "_budget",
        "_copies",
        "_deadlines",
        "_ended",
        "_job",
        "_log",
        "_log_task",
        "_notes",
        "_notice",
        "_observer",
        "_options",
        "_queue_notices",
        "_said",
        "_site",
        "_tracked",
        "_watch",
    )

    def __init__(
        self, site: Site, watch: JobSetWatch, tracked: TrackedJob, observer: JobObserver, options: FollowOptions
    ) -> None:
        self._site = site
        self._watch = watch
        self._tracked = tracked
        self._job = tracked.job
        self._observer = observer
        self._options = options
        self._deadlines = Deadlines(site, watch, tracked, options.deadline, options.queued_deadline, self._look)
        self._copies: set[str] = set()
        self._said = ""
        self._notes = tracked.state.notes
        self._notice = tracked.notice
        self._addresses: Mapping[int, str] = {}
        self._log: LogFollower | None = None
        self._log_task: asyncio.Task[bool] | None = None
        self._budget: JobBudget | None = None
        self._queue_notices = QueueNotices(site, tracked, options.explain_after, self._say)
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf

    async def run(self) -> Outcome:
        self._tracked.listeners.append(self._look)
        self._look()
        return await self._outcome(await self._ended)

    def _look(self) -> None:
        """Say what is new, and do what is due: at every change of the job, and when it is time for something."""
        if self._ended.done():
            return
        try:
            status = self._take_stock()
        except Exception as error:
            self._ended.set_exception(error)
        else:
            if status:
                self._ended.set_result(status)

    def _take_stock(self) -> str:
        """Return how the wait has ended; "" if it goes on."""
        self._report()
        self._report_copies()
        status = self._deadlines.behind(self._tracked.state.end) or self._deadlines.passed()
        if not status:
            if self._tracked.refusal:
                raise self._tracked.refusal
            self._follow_log()
            self._queue_notices.look()
            if self._queue_notices.wanted or self._deadlines.any:
                self._set_alarm()
        return status

    async def stop(self) -> None:
        """End what still runs for this job alone."""
        self._tracked.listeners.remove(self._look)
        if self._alarm:
            self._alarm.cancel()
        if self._budget:
            self._budget.close()
        if self._log_task:
            await background.end(self._log_task)
        await self._queue_notices.close()
        await self._deadlines.close()

    def _report(self) -> None:
        """Say what is new, and nothing twice."""
        state = self._tracked.state
        if state.notes != self._notes:
            self._notes = state.notes
            self._say(state.note)
        text = phase_text(state)
        if text and text != self._said:
            self._said = text
            self._tell(text, state.finished_at if state.end else state.at, phase_level(state))
            if self._options.running and state.phase == progress.RUNNING and not state.end:
                self._options.running(state)
        if state.addresses and state.addresses != self._addresses:
            self._addresses = state.addresses
            self._tell(addresses_text(state))
        if self._tracked.notice != self._notice:
            self._notice = self._tracked.notice
            self._say(self._notice)

    def _report_copies(self) -> None:
        for job_id in self._tracked.copies:
            if job_id not in self._copies:
                self._copies.add(job_id)
                self._say(f"its submission has also made job {job_id}")
                if self._options.duplicate:
                    self._options.duplicate(job_id)

    def _say(self, text: str) -> None:
        self._observer.state(storable(f"Job {self._job.job_id}: {text}"))

    def _tell(self, text: str, at: str = "", level: str = "info") -> None:
        self._observer.state(storable(f"Job {self._job.job_id} {text}"), at, level)

    def _set_alarm(self) -> None:
        """See to it that the next deadline is noticed although nothing changes."""
        moment = self._deadlines.next()
        if self._queue_notices.wanted:
            moment = min(moment, self._queue_notices.next)
        # One that rings too early does no harm: it looks, and is set again.
        if moment < self._alarm_at:
            if self._alarm:
                self._alarm.cancel()
            self._alarm_at = moment
            self._alarm = self._ended.get_loop().call_later(max(0.01, moment - time.time()), self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        self._look()

    def _follow_log(self) -> None:
        wanted = self._options.get_logs and self._log_task is None
        if wanted and self._tracked.state.phase == progress.RUNNING:
            self._start_log()

    def _start_log(self) -> None:
        options = self._options
        if options.live_log_budget is not None:
            self._budget = options.live_log_budget.open_job()
        self._log = LogFollower(
            self._site.logs,
            self._job,
            lambda: self._tracked.state.cluster,
            self._observer,
            options.containers or self._job.containers,
            options.log_positions,
            self._budget,
            self._site.timings,
            options.line_filter,
        )
        self._log_task = asyncio.create_task(self._log.run())

    async def _learn_of_the_run(self) -> None:
        """Find out where the job ran, if its end came before anything else was heard, as when somebody joins late."""
        tracked, ends = self._tracked, (outcomes.SUCCEEDED, outcomes.FAILED, outcomes.PREEMPTED)
        if not self._options.get_logs or tracked.state.end not in ends:
            return
        for _ in range(_LOOKS):
            if tracked.state.cluster:
                return
            await self._site.snapshots.ask(self._watch, tracked)
            if not tracked.state.cluster:
                await asyncio.sleep(self._site.timings.log_interval)  # the query API lags behind the events
        if not tracked.state.cluster:
            await self._site.snapshots.history.read_whole(self._watch, tracked)  # the query API may be away
        if not tracked.state.cluster:
            self._say("where it ran, if it did, nobody tells; so its log is not shown here")

    async def _outcome(self, status: str) -> Outcome:
        await self._learn_of_the_run()
        result = to_outcome(self._job, self._tracked.state, status)
        if status == outcomes.QUEUED_TOO_LONG:
            result = replace(result, reason=await self._queue_notices.last() or result.reason)
        if not self._options.get_logs or not (result.ran or self._log_task):
            shown = {key: list(at) for key, at in self._options.log_positions.items()}
            return replace(result, log_positions=shown) if shown else result
        if self._log_task is None:
            self._start_log()
        assert self._log is not None
        assert self._log_task is not None
        self._log.end()
        timings = self._site.timings
        complete = await _within(self._log_task, max(timings.log_tail, timings.budget_tail) + _OVERTIME)
        return replace(result, log_positions=self._log.positions, logs_complete=complete, log_gap=self._log.gap)


async def _within(task: asyncio.Task[bool], seconds: float) -> bool:
    """Return what a task gives in time; false if it does not, or if it fails."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done or task.cancelled():
        return False
    if error := task.exception():
        logger.warning("Following the log of a job failed", exc_info=error)
        return False
    return task.result()
