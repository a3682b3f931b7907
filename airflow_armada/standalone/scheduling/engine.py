"""The life of jobs: what is asked for is noted at once and decided on in the scheduler's next cycle, as in Armada.

Everything here runs on the server's event loop, so no state is locked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from airflow_armada.api import event_pb2
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.runner.pods import Pods
from airflow_armada.standalone.runner.simulation import SimulatedPods
from airflow_armada.standalone.scheduling.bus import MessageBus
from airflow_armada.standalone.scheduling.run_ends import RunEnds
from airflow_armada.standalone.scheduling.scheduler import Scheduler
from airflow_armada.standalone.scheduling.transitions import Transitions
from airflow_armada.standalone.store import event_messages, model
from airflow_armada.standalone.store.event_log import EventStore
from airflow_armada.standalone.store.event_messages import Failure
from airflow_armada.standalone.store.job_store import JobStore
from airflow_armada.standalone.store.model import Job, Request, Run
from airflow_armada.standalone.store.outbox import Outbox
from airflow_armada.standalone.store.queue_store import QueueStore

HOUSEKEEPING_SECONDS = 5.0


class Engine:
    """Jobs, their events and what moves them.

    :param pods: what runs the jobs' pods
    """

    def __init__(self, config: Config, pods: Pods | SimulatedPods, faults: Faults) -> None:
        self.config = config
        self.queues = QueueStore()
        self.events = EventStore(lambda: faults.repeat_events)
        self.store = JobStore(config.retention)
        self.scheduler = Scheduler(config, self.queues.weight)
        self.pods = pods
        self._faults = faults
        self._outbox = Outbox(self.events)
        self.transitions = Transitions(self.store, self.scheduler, self.pods, self._outbox)
        self._run_ends = RunEnds(config, self.queues, self.scheduler, self.transitions, self._wait_again)
        self.bus = MessageBus(lambda: faults.bus_away)
        self._wake = asyncio.Event()
        self._new: list[Job] = []
        self._ended: list[tuple[Job, Run, Failure | None]] = []
        self._cancels: list[tuple[Job, Request, bool]] = []
        self._preempts: list[tuple[Job, Request]] = []
        self._reprioritized: list[tuple[Job, str]] = []

    async def run(self) -> None:
        """Decide in cycles, until cancelled."""
        await self.pods.start()
        housekeeping = asyncio.create_task(self._keep_house())
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(self.config.cycle)
                await self.bus.available()
                self._wake.clear()
                self._cycle()
        finally:
            housekeeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await housekeeping
            await self.pods.stop()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self.store.apply_retention()
            self.scheduler.backlog.forget_ended_gangs()
            self.events.forget_older_than(self.config.retention.events)
            self.events.forget_beyond(self.config.retention.stored_events)

    def wake(self) -> None:
        """Let the scheduler look at what has changed."""
        self._wake.set()

    # What clients ask for

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take in jobs of one job set."""
        for job in jobs:
            self.transitions.submit(job)
        self._new += jobs
        self._settle()

    def request_cancel(self, queue: str, job_set_id: str, job_ids: Iterable[str], wish: Request) -> None:
        """Note that jobs are to be cancelled; ids that mean nothing here get their event all the same."""
        ids = list(job_ids)
        said = (event_messages.cancelling(job_id, job_set_id, queue, wish.user) for job_id in ids)
        self._outbox.put(queue, job_set_id, *said)
        self._cancels += [(job, wish, False) for job in self.store.match(queue, job_set_id, ids)]
        self._settle()

    def request_cancel_jobs(self, jobs: Iterable[Job], wish: Request) -> None:
        """Note that jobs are to be cancelled because of what they belong to."""
        self._cancels += [(job, wish, not wish.in_bulk) for job in jobs]
        self._settle()

    def request_preempt(self, queue: str, job_set_id: str, job_ids: Iterable[str], wish: Request) -> None:
        """Note that jobs are to be preempted."""
        ids = list(job_ids)
        said = (event_messages.preempting(job_id, job_set_id, queue, wish.user, wish.reason) for job_id in ids)
        self._outbox.put(queue, job_set_id, *said)
        self.request_preempt_jobs(self.store.match(queue, job_set_id, ids), wish)

    def request_preempt_jobs(self, jobs: Iterable[Job], wish: Request) -> None:
        """Note that jobs are to be preempted; those that do not run are left alone."""
        self._preempts += [(job, wish) for job in jobs if job.state in model.ACTIVE]
        self._settle()

    def request_reprioritize(
        self, queue: str, job_set_id: str, job_ids: Iterable[str], priority: int, user: str
    ) -> None:
        """Change the priority of jobs named by id; ids that mean nothing here get their event all the same."""
        ids = list(job_ids)
        said = (event_messages.reprioritizing(job_id, job_set_id, queue, priority, user) for job_id in ids)
        self._outbox.put(queue, job_set_id, *said)
        self.reprioritize_jobs(self.store.match(queue, job_set_id, ids), priority, user)

    def reprioritize_jobs(self, jobs: Iterable[Job], priority: int, user: str) -> None:
        """Change the priority of jobs."""
        changed = [job for job in jobs if job.priority != priority]
        for job in changed:
            job.priority = priority
            job.spec.priority = priority
            self.scheduler.backlog.reorder(job)
        self._reprioritized += [(job, user) for job in changed]
        self._settle()

    def _settle(self) -> None:
        self._outbox.flush()
        self.wake()

    # What the scheduler decides

    def _cycle(self) -> None:
        """Carry out everything that has been asked for or has happened since the last cycle."""
        self._carry_out_reprioritizations()
        self._carry_out_cancels()
        self._carry_out_ends()
        self._carry_out_preemptions()
        self._admit()
        self._schedule()
        self._outbox.flush()

    def _carry_out_reprioritizations(self) -> None:
        changed, self._reprioritized = self._reprioritized, []
        for job, user in changed:
            if not job.finished:
                self.transitions.say(job, event_messages.reprioritized(job, user))

    def _carry_out_cancels(self) -> None:
        cancels, self._cancels = self._cancels, []
        for job, wish, announce in cancels:
            if not job.finished:
                self.transitions.cancel(job, wish.user, announce=announce)

    def _carry_out_ends(self) -> None:
        ended, self._ended = self._ended, []
        for job, run, failure in ended:
            if job.finished or job.run is not run or run.finished:
                continue
            self._run_ends.pod_ended(job, failure)

    def _carry_out_preemptions(self) -> None:
        preempts, self._preempts = self._preempts, []
        for job, wish in preempts:
            if job.state in model.ACTIVE and self.config.priority_classes[job.priority_class].preemptible:
                # Only the job that was named tells who wanted it; the others of its gang just go with it.
                for member in self.scheduler.backlog.gang_members(job):
                    self.transitions.preempt(member, _preemption(wish), by_user=wish.user if member is job else "")

    def _admit(self) -> None:
        new, self._new = self._new, []
        waiting = [job for job in new if job.state == model.QUEUED]
        too_many = self.scheduler.backlog.beyond_cardinality(waiting)
        for job in waiting:
            if problem := too_many.get(job.id) or self.scheduler.add(job):
                self.transitions.reject(job, problem)

    def _schedule(self) -> None:
        decided = self.scheduler.round()
        for job, problem in decided.rejected:
            self.transitions.reject(job, problem)
        for victim, winner in decided.preempted:
            classes = self.config.priority_classes
            urgent = classes[victim.priority_class].value < classes[winner.priority_class].value
            why = "urgency" if urgent else "fair share"
            reason = f"Preempted by scheduler using {why} preemption - preempting job {winner.id}"
            self.transitions.preempt(victim, reason, by_job=winner.id)
        for job in decided.leased:
            self._start(job, self.transitions.lease(job))

    def _start(self, job: Job, run: Run) -> None:
        if self._faults.return_pods:
            self._run_ends.lease_returned(job, self._faults.return_pods, run_attempted=True, has_pod=False)
            return
        if refusal := self._faults.refuse_pods or self._unknown_namespace(job):
            self._run_ends.failed(job, Failure(refusal, names_pod=True))
            return
        self.transitions.make_pod(job)
        self.pods.run(
            job,
            lambda: self.bus.post(lambda: self._on_running(job, run)),
            lambda failure: self._on_end(job, run, failure),
        )

    def _unknown_namespace(self, job: Job) -> str:
        known = self.config.provided.namespaces
        return f'namespaces "{job.spec.namespace}" not found' if known and job.spec.namespace not in known else ""

    def _wait_again(self, job: Job) -> None:
        self.transitions.requeue(job)
        self._new.append(job)
        self.wake()

    def _on_running(self, job: Job, run: Run) -> None:
        if not job.finished and job.run is run and not run.finished:
            self.transitions.run(job)
            self._outbox.flush()

    def _on_end(self, job: Job, run: Run, failure: Failure | None) -> None:
        self._ended.append((job, run, failure))
        self.wake()

    # What happens over a job's head

    def report(self, job: Job, *said: event_pb2.EventMessage) -> None:
        """Store events of a job at once."""
        self.transitions.say(job, *said)
        self._outbox.flush()

    def evict(self, job: Job, reason: str) -> None:
        """Let a job's pod end as one that the machine cannot keep."""
        pod = self.pods.get(job.id)
        if pod is not None:
            pod.evict(reason)
            self.pods.kill(job)

    def return_lease(self, job: Job, reason: str, run_attempted: bool) -> None:
        """Let the cluster give a job back."""
        self._run_ends.lease_returned(job, reason, run_attempted)
        self._over(job)

    def expire_lease(self, job: Job) -> None:
        """Let the cluster be lost for too long."""
        self._run_ends.lease_expired(job)
        self._over(job)

    def fail_at_once(self, job: Job, failure: Failure) -> None:
        """End a job and get rid of its pod."""
        self.transitions.fail(job, failure)
        self._over(job)

    def fail_run(self, job: Job, failure: Failure) -> None:
        """Let a job's run fail in a way that gets it another one."""
        self.transitions.retry(job, failure)
        self._wait_again(job)
        self._over(job)

    def _over(self, job: Job) -> None:
        self.pods.delete(job)
        self._settle()


def _preemption(wish: Request) -> str:
    if wish.in_bulk:
        return "Preempted - preemption requested via API"
    return f"Preempted by {wish.user}" + (f" - {wish.reason}" if wish.reason else "")
