"""The life of jobs: what is asked for is noted at once and decided on in the scheduler's next cycle, as in Armada.

Everything here runs on the server's event loop, so no state is locked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from airflow_armada.api import event_pb2, job_pb2
from airflow_armada.standalone import messages, model
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.event_log import EventStore
from airflow_armada.standalone.ingress import ingress_addresses
from airflow_armada.standalone.jobstore import JobStore
from airflow_armada.standalone.messages import INTERNAL, Failure
from airflow_armada.standalone.model import Job, Request, Run
from airflow_armada.standalone.outbox import Outbox
from airflow_armada.standalone.pods import Pods
from airflow_armada.standalone.queues import QueueStore
from airflow_armada.standalone.scheduler import Scheduler

HOUSEKEEPING_SECONDS = 5.0


class Engine:
    """Jobs, their events and what moves them.

    :param folder: where pods have their private folders
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.queues = QueueStore()
        self.events = EventStore()
        self.store = JobStore(config.retention)
        self.scheduler = Scheduler(config, self.queues.weight)
        self.pods = Pods(config, folder)
        self.outbox = Outbox(self.events)
        self._wake = asyncio.Event()
        self._new: list[Job] = []
        self._ended: list[tuple[Job, Run, Failure | None]] = []
        self._cancels: list[tuple[Job, bool]] = []
        self._preempts: list[Job] = []
        self._reprioritized: list[tuple[Job, str]] = []

    async def run(self) -> None:
        """Decide in cycles, until cancelled."""
        await self.pods.start()
        housekeeping = asyncio.create_task(self._keep_house())
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(self.config.cycle)
                self._wake.clear()
                self.cycle()
        finally:
            housekeeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await housekeeping
            await self.pods.stop()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self.store.apply_retention()
            self.events.forget_older_than(self.config.retention.events)

    def wake(self) -> None:
        """Let the scheduler look at what has changed."""
        self._wake.set()

    # What clients ask for

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take in jobs of one job set."""
        for job in jobs:
            job.enter(model.QUEUED)
            self.store.add(job)
            self._new.append(job)
            self._say(job, messages.submitted(job), messages.queued(job))
        self.outbox.flush()
        self.wake()

    def request_cancel(self, queue: str, job_set_id: str, job_ids: Iterable[str], wish: Request) -> None:
        """Note that jobs are to be cancelled; ids that mean nothing here get their event all the same."""
        ids = list(job_ids)
        self.outbox.put(
            queue, job_set_id, *(messages.cancelling(job_id, job_set_id, queue, wish.user) for job_id in ids)
        )
        self.outbox.flush()
        for job in self.store.match(queue, job_set_id, ids):
            self._mark_cancelled(job, wish, announce=False)

    def request_cancel_jobs(self, jobs: Iterable[Job], wish: Request) -> None:
        """Note that jobs are to be cancelled because of what they belong to."""
        for job in jobs:
            self._mark_cancelled(job, wish, announce=True)

    def _mark_cancelled(self, job: Job, wish: Request, *, announce: bool) -> None:
        if job.cancel is None:
            job.cancel = wish
            self._cancels.append((job, announce))
            self.wake()

    def request_preempt(self, queue: str, job_set_id: str, job_ids: Iterable[str], wish: Request) -> None:
        """Note that jobs are to be preempted."""
        ids = list(job_ids)
        said = (messages.preempting(job_id, job_set_id, queue, wish.user, wish.reason) for job_id in ids)
        self.outbox.put(queue, job_set_id, *said)
        self.outbox.flush()
        self.request_preempt_jobs(self.store.match(queue, job_set_id, ids), wish)

    def request_preempt_jobs(self, jobs: Iterable[Job], wish: Request) -> None:
        """Note that jobs are to be preempted; those that do not run are left alone."""
        for job in jobs:
            if job.state in model.ACTIVE and job.preempt is None:
                job.preempt = wish
                self._preempts.append(job)
                self.wake()

    def announce_reprioritize(
        self, queue: str, job_set_id: str, job_ids: Iterable[str], priority: int, user: str
    ) -> None:
        """Change the priority of jobs named by id; ids that mean nothing here get their event all the same."""
        ids = list(job_ids)
        said = (messages.reprioritizing(job_id, job_set_id, queue, priority, user) for job_id in ids)
        self.outbox.put(queue, job_set_id, *said)
        self.outbox.flush()
        self.reprioritize(self.store.match(queue, job_set_id, ids), priority, user)

    def reprioritize(self, jobs: Iterable[Job], priority: int, user: str) -> None:
        """Change the priority of jobs."""
        for job in jobs:
            if job.priority != priority:
                job.priority = priority
                job.spec.priority = priority
                self._reprioritized.append((job, user))
                if job.state == model.QUEUED:
                    self.scheduler.backlog.reorder(job)
                self.wake()

    # What the scheduler decides

    def cycle(self) -> None:
        """Carry out everything that has been asked for or has happened since the last cycle."""
        self._settle_reprioritized()
        self._settle_cancels()
        self._settle_ended()
        self._settle_preempts()
        self._admit()
        self._schedule()
        self.outbox.flush()

    def _settle_reprioritized(self) -> None:
        changed, self._reprioritized = self._reprioritized, []
        for job, user in changed:
            if not job.finished:
                self._say(job, messages.reprioritized(job, user))

    def _settle_cancels(self) -> None:
        cancels, self._cancels = self._cancels, []
        for job, announce in cancels:
            if job.cancel is None or job.finished:
                continue
            user = job.cancel.user
            if announce:
                self._say(job, messages.cancelling(job.id, job.job_set_id, job.queue, user))
            job.cancel_user, job.cancelled = user, time.time()
            self._say(job, messages.cancelled(job, user))
            self._end_run(job, job_pb2.RUN_STATE_UNKNOWN)
            self._finish(job, model.CANCELLED)
            self.pods.delete(job)

    def _settle_ended(self) -> None:
        ended, self._ended = self._ended, []
        for job, run, failure in ended:
            if job.finished or job.run is not run:
                continue
            if failure is None:
                self._end_run(job, job_pb2.RUN_STATE_SUCCEEDED)
                self._say(job, messages.succeeded(job))
                self._finish(job, model.SUCCEEDED)
            else:
                self.fail(job, failure)

    def fail(self, job: Job, failure: Failure, *, state: int = model.FAILED) -> None:
        """End a job with a failure."""
        self._end_run(job, job_pb2.RUN_STATE_FAILED, failure.reason)
        job.error = failure.reason
        self._say(job, messages.failed(job, failure))
        self._finish(job, state)

    def _settle_preempts(self) -> None:
        preempts, self._preempts = self._preempts, []
        for job in preempts:
            wish, job.preempt = job.preempt, None
            if wish is None or job.state not in model.ACTIVE:
                continue
            if self.config.priority_classes[job.priority_class].preemptible:
                reason = f"Preempted by {wish.user}" + (f" - {wish.reason}" if wish.reason else "")
                for member in self.scheduler.backlog.gang_members(job):
                    self._preempt(member, reason, by_user=wish.user)

    def _preempt(self, job: Job, reason: str, *, by_job: str = "", by_user: str = "") -> None:
        if job.state not in model.ACTIVE:
            return
        job.error = reason
        self._say(
            job,
            messages.preempted(job, reason, by_job=by_job, by_user=by_user),
            messages.failed(job, Failure(reason)),
        )
        self._end_run(job, job_pb2.RUN_STATE_PREEMPTED, reason)
        self._finish(job, model.PREEMPTED)
        self.pods.delete(job)

    def _admit(self) -> None:
        new, self._new = self._new, []
        for job in new:
            if job.state == model.QUEUED and (problem := self.scheduler.add(job)):
                self._reject(job, problem)

    def _reject(self, job: Job, problem: str) -> None:
        job.error = problem
        rejected = Failure(problem, event_pb2.Rejected, INTERNAL, "job-rejected")
        self._say(job, messages.failed(job, rejected))
        self._finish(job, model.REJECTED)

    def _schedule(self) -> None:
        decided = self.scheduler.round()
        for job, problem in decided.rejected:
            self._reject(job, problem)
        for victim, winner in decided.preempted:
            reason = f"Preempted by scheduler using urgency preemption - preempting job {winner.id}"
            self._preempt(victim, reason, by_job=winner.id)
        for job in decided.leased:
            self._lease(job)

    def _lease(self, job: Job) -> None:
        run = Run()
        self.store.add_run(job, run)
        job.enter(model.LEASED)
        self._say(job, messages.leased(job))
        self.outbox.flush()
        run.pending = time.time()
        job.enter(model.PENDING)
        self._say(job, messages.pending(job))
        self.pods.run(job, lambda: self._on_running(job, run), lambda failure: self._on_end(job, run, failure))

    def _on_running(self, job: Job, run: Run) -> None:
        if job.finished or job.run is not run:
            return
        run.started = time.time()
        job.enter(model.RUNNING)
        self._say(job, messages.running(job))
        if addresses := ingress_addresses(job):
            self._say(job, messages.ingress_info(job, addresses))
        self.outbox.flush()

    def _on_end(self, job: Job, run: Run, failure: Failure | None) -> None:
        self._ended.append((job, run, failure))
        self.wake()

    def requeue(self, job: Job) -> None:
        """Let a job whose run is over wait for another one; no event says so."""
        self.scheduler.release(job)
        self.pods.delete(job)
        job.enter(model.QUEUED)
        self._new.append(job)
        self.wake()

    def _end_run(self, job: Job, state: int, error: str = "") -> None:
        if job.runs and not job.run.finished:
            job.run.finished, job.run.end_state, job.run.error = time.time(), state, error

    def _finish(self, job: Job, state: int) -> None:
        job.enter(state)
        self.scheduler.release(job)
        self.store.ended(job)

    def _say(self, job: Job, *said: event_pb2.EventMessage) -> None:
        self.outbox.put(job.queue, job.job_set_id, *said)
