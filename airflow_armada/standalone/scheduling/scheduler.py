"""Who runs next: fair between queues, by priority within them, urgent classes at the cost of preemptible ones.

This decides and changes nothing but the backlog and its own account of what is in use; the engine carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import chain

from airflow_armada.standalone import clock
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.resource_amounts import add, canonical
from airflow_armada.standalone.scheduling.backlog import Backlog, Shape, Unit
from airflow_armada.standalone.scheduling.placement import placement_problem
from airflow_armada.standalone.scheduling.reports import DOES_NOT_FIT, GANG_DOES_NOT_FIT, matches_no_node, too_large
from airflow_armada.standalone.scheduling.round import Round
from airflow_armada.standalone.store.model import Job

NONE = Fraction(0)


class Scheduler:
    """Keeps the queues and the account of the machine's resources.

    :param queue_weight: gives a queue's priority factor, or None if nothing of it may be scheduled now
    :ivar cordoned: whether the cluster takes no new jobs
    :ivar last: the newest round
    :ivar last_by_queue: the newest round that considered a queue
    :ivar blocked: what the machine lacks for the waiting units of a shape, by the newest round
    """

    def __init__(self, config: Config, queue_weight: Callable[[str], float | None]) -> None:
        self.config = config
        self.capacity = config.capacity
        self.backlog = Backlog()
        self.holders: dict[str, Job] = {}
        self.used: dict[str, Fraction] = dict.fromkeys(self.capacity, NONE)
        self.blocked: dict[Shape, str] = {}
        self.cordoned = False
        self.last: Round | None = None
        self.last_by_queue: dict[str, Round] = {}
        self._queue_weight = queue_weight
        self._used_by_queue: dict[str, dict[str, Fraction]] = {}

    def add(self, job: Job) -> str:
        """Take in a queued job.

        :return: why it has to be rejected at once, or nothing
        """
        return self.backlog.add(job, self.config.priority_classes[job.priority_class].value)

    def hold(self, job: Job) -> None:
        """Count a job's resources as used."""
        self.holders[job.id] = job
        self._account(job, 1)

    def release(self, job: Job) -> None:
        """Count a job's resources as free again."""
        if self.holders.pop(job.id, None):
            self._account(job, -1)

    def _account(self, job: Job, sign: int) -> None:
        by_queue = self._used_by_queue.setdefault(job.queue, dict.fromkeys(self.capacity, NONE))
        for name, amount in job.requests.items():
            if name in self.capacity:
                self.used[name] += sign * amount
                by_queue[name] += sign * amount

    def free(self) -> dict[str, Fraction]:
        """Return what is not in use."""
        return {name: self.capacity[name] - self.used[name] for name in self.capacity}

    def share(self, queue: str) -> Fraction:
        """Return the largest part of any resource that a queue's jobs use."""
        return self._share_of(self._used_by_queue.get(queue, {}))

    def _share_of(self, used: Mapping[str, Fraction]) -> Fraction:
        return max((used[name] / self.capacity[name] for name in used if self.capacity.get(name)), default=NONE)

    def round(self) -> Round:
        """Decide until nothing more fits."""
        result = Round(started=clock.time())
        self.blocked = {}
        blocked: set[Shape] = set()
        for queue in self.backlog.queues():
            if self._queue_weight(queue) is not None:
                self.last_by_queue[queue] = result
        while unit := None if self.cordoned else self._next(blocked):
            if problem := self._never_fits(unit):
                self.backlog.take(unit)
                result.rejected += [(job, problem) for job in unit.jobs]
            elif self._place(unit, result):
                self.backlog.take(unit)
            else:
                blocked.add(unit.shape)
                self.blocked[unit.shape] = self._shortage(unit)
                reason = DOES_NOT_FIT if len(unit.jobs) == 1 else GANG_DOES_NOT_FIT
                result.unschedulable.append((unit.jobs[0].queue, reason, unit.jobs))
        result.finished = clock.time()
        self.last = result
        return result

    def _next(self, blocked: set[Shape]) -> Unit | None:
        """Return the first unit of the queue that has least of its fair share."""
        candidates = []
        for queue in self.backlog.queues():
            weight = self._queue_weight(queue)
            if weight is not None and (unit := self.backlog.first(queue, blocked)):
                candidates.append((float(self.share(queue)) * weight, unit.order, unit))
        return min(candidates, key=lambda candidate: candidate[:2])[2] if candidates else None

    def could_fit(self, requests: Mapping[str, Fraction]) -> bool:
        """Return whether the empty machine has room for something."""
        return self._fits(requests, self.capacity)

    def _never_fits(self, unit: Unit) -> str:
        if not self.could_fit(unit.requests):
            return too_large(unit.requests, self.capacity)
        for job in unit.jobs:
            if problem := placement_problem(job.pod_spec, self.config.node_labels):
                return matches_no_node(problem)
        return ""

    def _place(self, unit: Unit, result: Round) -> bool:
        victims = [] if self._fits(unit.requests, self.free()) else self._victims(unit)
        if victims is None:
            return False
        for victim in victims:
            self.release(victim)
            result.preempted.append((victim, unit.jobs[0]))
        for job in unit.jobs:
            self.hold(job)
            result.leased.append(job)
        result.units += 1
        return True

    def _fits(self, requests: Mapping[str, Fraction], free: Mapping[str, Fraction]) -> bool:
        return all(amount <= free[name] for name, amount in requests.items() if name in free)

    def _victims(self, unit: Unit) -> list[Job] | None:
        """Return preemptible jobs whose end makes room, as few as a simple search finds.

        Those of less urgent classes go first, then those by which other queues exceed their fair share.
        """
        free = self.free()
        chosen: list[list[Job]] = []
        for gang in chain(self._less_urgent(unit.value), self._beyond_fair_share(unit)):
            _give(free, gang, 1)
            chosen.append(gang)
            if self._fits(unit.requests, free):
                break
        else:
            return None
        for gang in list(chosen):
            _give(free, gang, -1)
            if self._fits(unit.requests, free):
                chosen.remove(gang)
            else:
                _give(free, gang, 1)
        return [job for gang in chosen for job in gang]

    def _less_urgent(self, value: int) -> Iterable[list[Job]]:
        return self._gangs(lambda job, preemptible: preemptible < value)

    def _beyond_fair_share(self, unit: Unit) -> Iterable[list[Job]]:
        """Return what other queues have beyond their fair share, if the unit's own stays within its share with it."""
        own = unit.jobs[0].queue
        fair = self._fair_shares(own)
        used = {queue: dict(amounts) for queue, amounts in self._used_by_queue.items()}
        if self._share_of(add([used.get(own, {}), unit.requests])) > fair[own]:
            return
        for gang in self._gangs(lambda job, value: value == unit.value and job.queue != own):
            queue = gang[0].queue
            if self._share_of(used[queue]) > fair.get(queue, NONE):
                _give(used[queue], gang, -1)
                yield gang

    def _fair_shares(self, asking: str) -> dict[str, Fraction]:
        """Return, for every queue with jobs that run and for the one that asks, the part of the machine that is its."""
        queues = {asking, *(job.queue for job in self.holders.values())}
        weights = {queue: 1 / Fraction(self._queue_weight(queue) or 1) for queue in queues}
        return {queue: weight / sum(weights.values()) for queue, weight in weights.items()}

    def _gangs(self, eligible: Callable[[Job, int], bool]) -> Iterable[list[Job]]:
        """Return what may be preempted, gangs whole: the least urgent first, of equals the newest first.

        :param eligible: whether a job is in question, by the value of its preemptible class
        """
        classes = self.config.priority_classes
        jobs = [job for job in self.holders.values() if job.runs and classes[job.priority_class].preemptible]
        jobs = [job for job in jobs if eligible(job, classes[job.priority_class].value)]
        jobs.sort(key=lambda job: (classes[job.priority_class].value, -job.run.leased, -job.serial))
        seen: set[str] = set()
        for job in jobs:
            if job.id not in seen:
                gang = self.backlog.gang_members(job)
                seen.update(member.id for member in gang)
                yield gang

    def _shortage(self, unit: Unit) -> str:
        free = self.free()
        lacking = (name for name, amount in unit.requests.items() if name in free and amount > free[name])
        name = next(lacking, "")
        if not name:
            return ""
        wanted, there = canonical(unit.requests[name]), canonical(free[name])
        return f"pod requires {wanted} {name}, but only {there} is available"


def _give(free: dict[str, Fraction], jobs: Iterable[Job], sign: int) -> None:
    for job in jobs:
        for name, amount in job.requests.items():
            if name in free:
                free[name] += sign * amount
