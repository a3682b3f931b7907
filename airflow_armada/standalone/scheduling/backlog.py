"""What waits to be scheduled: units in the order in which each queue would have them.

A unit is a job or a complete gang. Units of one shape (same requests, same priority class) fit or do not fit alike, so
each shape has a heap of its own, and finding the next unit costs as much as there are shapes, however many jobs wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush

from airflow_armada.standalone.resource_amounts import add
from airflow_armada.standalone.store.gangs import Gang
from airflow_armada.standalone.store.model import QUEUED, Job

Shape = tuple[object, ...]
Order = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Unit:
    """Jobs that are scheduled together.

    :param shape: what decides whether it fits
    :param value: its priority class's value
    """

    jobs: tuple[Job, ...]
    shape: Shape
    requests: Mapping[str, Fraction]
    value: int

    @property
    def order(self) -> Order:
        """Where it stands in its queue: urgent classes first, then low priority values, then the older."""
        return (-self.value, min(job.priority for job in self.jobs), self.jobs[0].serial)


@dataclass
class _Queue:
    heaps: dict[Shape, list[tuple[Order, int, Unit]]] = field(default_factory=dict)


class Backlog:
    """The waiting units of all queues."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._gangs: dict[tuple[str, str], list[Job]] = {}
        self._units: dict[int, Unit] = {}
        self._tickets = 0

    def add(self, job: Job, value: int) -> str:
        """Take in a queued job; the last member of a gang brings in the gang.

        :param value: its priority class's value
        :return: why the job cannot belong to the gang that it names, or nothing
        """
        if job.gang is None:
            self._push(Unit((job,), _shape(job, value), job.requests, value))
            return ""
        members = self.gang_members(job)
        if problem := _gang_problem(job, members):
            return problem
        self._gangs[job.queue, job.gang.id] = members = [*members, job]
        if len(members) == job.gang.cardinality:
            self._push(Unit(tuple(members), ("gang", job.gang.id), add(one.requests for one in members), value))
        return ""

    def gang_members(self, job: Job) -> list[Job]:
        """Return the members of a job's gang that have not ended, as far as they were submitted."""
        members = self._gangs.get((job.queue, job.gang.id), []) if job.gang else [job]
        return [member for member in members if not member.finished]

    def beyond_cardinality(self, jobs: Iterable[Job]) -> dict[str, str]:
        """Return, by job id, why new jobs are too many for their gang: then all of those that came together are."""
        by_gang: dict[tuple[str, Gang], list[Job]] = {}
        for job in jobs:
            if job.gang is not None:
                by_gang.setdefault((job.queue, job.gang), []).append(job)
        problems: dict[str, str] = {}
        for (_, gang), new in by_gang.items():
            members = self.gang_members(new[0])
            waiting = [member for member in members if member.state == QUEUED and member not in new]
            count = len(waiting) + len(new)
            if count > gang.cardinality and len(waiting) == len(members):
                problem = (
                    "cannot submit more jobs to gang than specified in gang cardinality - cardinality set to "
                    f"{gang.cardinality} (based on job {[*waiting, *new][0].id}) but found {count} jobs"
                )
                problems |= {job.id: problem for job in new}
        return problems

    def _push(self, unit: Unit) -> None:
        """Put a unit in; the ticket makes an entry that it had before invalid."""
        self._tickets += 1
        self._units.pop(unit.jobs[0].ticket, None)
        self._units[self._tickets] = unit
        for job in unit.jobs:
            job.ticket = self._tickets
        heap = self._queues.setdefault(unit.jobs[0].queue, _Queue()).heaps.setdefault(unit.shape, [])
        heappush(heap, (unit.order, self._tickets, unit))

    def reorder(self, job: Job) -> None:
        """Put a waiting job, with its gang, where its changed priority belongs."""
        unit = self.unit_of(job)
        if unit is not None:
            self._push(unit)

    def unit_of(self, job: Job) -> Unit | None:
        """Return the waiting unit that a job belongs to, if it is complete."""
        return self._units.get(job.ticket)

    def queues(self) -> list[str]:
        """Return the names of the queues in which something waits."""
        return [name for name, queue in self._queues.items() if queue.heaps]

    def first(self, queue: str, blocked: set[Shape]) -> Unit | None:
        """Return a queue's first unit of a shape that is not blocked."""
        heaps = self._queues[queue].heaps
        best: tuple[Order, int, Unit] | None = None
        for shape in list(heaps):
            if not self._settle(heaps, shape) or shape in blocked:
                continue
            best = min(best, heaps[shape][0]) if best else heaps[shape][0]
        return best[2] if best else None

    def _settle(self, heaps: dict[Shape, list[tuple[Order, int, Unit]]], shape: Shape) -> bool:
        """Drop entries that are no longer valid from the top of a heap; return whether one is left."""
        heap = heaps[shape]
        while heap and not _valid(heap[0][1], heap[0][2]):
            self._units.pop(heappop(heap)[1], None)
        if not heap:
            del heaps[shape]
        return bool(heap)

    def take(self, unit: Unit) -> None:
        """Remove a unit that :meth:`first` returned."""
        self._units.pop(unit.jobs[0].ticket, None)
        for job in unit.jobs:
            job.ticket = 0

    def forget_ended_gangs(self) -> None:
        """Drop what is known of gangs of which every member has ended."""
        for key in [key for key, members in self._gangs.items() if all(one.finished for one in members)]:
            del self._gangs[key]

    def waiting(self, queue: str) -> Iterator[Unit]:
        """Return a queue's waiting units, in no order."""
        for heap in self._queues.get(queue, _Queue()).heaps.values():
            yield from (unit for _, ticket, unit in heap if _valid(ticket, unit))


def _valid(ticket: int, unit: Unit) -> bool:
    return all(job.ticket == ticket and job.state == QUEUED for job in unit.jobs)


def _gang_problem(job: Job, members: Sequence[Job]) -> str:
    gang = job.gang
    if gang is None or not members:
        return ""
    if members[0].gang != gang or members[0].priority_class != job.priority_class:
        return f"gang {gang.id}: its members do not agree on cardinality, priority class or node uniformity label"
    if gone := next((member for member in members if member.state != QUEUED), None):
        return f"cannot submit to gang that has running jobs - example running job {gone.id}"
    return ""


def _shape(job: Job, value: int) -> Shape:
    spec = job.pod_spec
    placement = spec.affinity.nodeAffinity.SerializeToString(deterministic=True) if spec.HasField("affinity") else b""
    return (value, job.priority_class, tuple(sorted(job.requests.items())), _selector(job), placement)


def _selector(job: Job) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(job.pod_spec.nodeSelector.items()))
