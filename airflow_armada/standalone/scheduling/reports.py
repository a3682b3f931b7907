"""The scheduler's reports, and the reasons of rejections, in the shape in which Armada writes them.

Source: the reports and events of the real scheduler, recorded on 27 November 2026 (``tests/recorded``). What Armada
does not say is not said here either: nothing tells that a queue is cordoned, and of a job that no recent round affected
there is only "none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction

from airflow_armada.standalone.config import CLUSTER, NODE, POOL
from airflow_armada.standalone.resource_amounts import add, listing
from airflow_armada.standalone.scheduling.round import Round
from airflow_armada.standalone.store.model import Job

DOES_NOT_FIT = "job does not fit on any node"
GANG_DOES_NOT_FIT = "unable to schedule gang since minimum cardinality not met"
_QUEUE_COLUMN = 83
_ROUND_COLUMN = 27


def too_large(requests: Mapping[str, Fraction], capacity: Mapping[str, Fraction]) -> str:
    """Return the reason for rejecting what asks for more than there is in all."""
    return _in_pool(
        f"job/gang requests resources {listing(requests)} which exceeds the total limit of {listing(capacity)} "
        "for its queue/priority class\n"
    )


def matches_no_node(problem: str) -> str:
    """Return the reason for rejecting what no node could ever run.

    :param problem: what is wrong with the node
    """
    return _in_pool(
        f"Node:                       none\nNumber of nodes in cluster: 1\nExcluded nodes:\n 1: {problem}\n"
    )


def _in_pool(text: str) -> str:
    return f"pool {POOL}:\n{text}\n---\n"


def job_report(job_id: str, seen: float, reason: str, shortage: str) -> str:
    """Return the report on a job.

    :param seen: epoch seconds of the round that affected it, 0 if there was none
    :param reason: why it was not scheduled, or nothing
    :param shortage: what the node lacks for it
    """
    head = f" Most recent scheduling round that affected job {job_id}:"
    if not seen:
        return f"{POOL}:\n{head} none\n"
    excluded = f"\n   1: {shortage}" if shortage else "             none"
    return (
        f"{POOL}:\n{head}\n"
        f"  Time:                {_time(seen)}\n"
        f"  Job ID:              {job_id}\n"
        f"  UnschedulableReason: {reason or 'none'}\n"
        f"  Node:                       {'none' if reason else f'{CLUSTER}-{NODE}'}\n"
        "  Number of nodes in cluster: 1\n"
        f"  Excluded nodes:{excluded}\n"
    )


def queue_report(name: str, last: Round | None, running: Sequence[Job]) -> str:
    """Return the report on a queue.

    :param last: the newest round that considered the queue
    :param running: the queue's jobs that hold resources
    """
    head = f" Most recent scheduling round that considered queue {name}:"
    if last is None:
        return f"{POOL}:\n{head} none\n"
    scheduled = [job for job in last.leased if job.queue == name]
    preempted = [job for job, _ in last.preempted if job.queue == name]
    unschedulable = [(reason, jobs) for queue, reason, jobs in last.unschedulable if queue == name]
    rows = [
        ("Time:", _time(last.started)),
        ("Queue:", name),
        ("Scheduled resources:", _resources(scheduled)),
        ("Scheduled resources (by priority):", _by_class(scheduled)),
        ("Preempted resources:", _resources(preempted)),
        ("Preempted resources (by priority):", _by_class(preempted)),
        ("Preempted by optimiser resources:", _resources(())),
        ("Preempted by optimiser resources (by priority):", ""),
        ("Total allocated resources after scheduling:", _resources(running)),
        *(
            (f"Total allocated resources after scheduling by for priority class {name}:", _resources(jobs))
            for name, jobs in _classes(running).items()
        ),
        ("Number of jobs scheduled:", len(scheduled)),
        ("Number of jobs preempted:", len(preempted)),
        ("Number of jobs preempted by optimiser:", 0),
        ("Number of jobs that could not be scheduled:", sum(len(jobs) for _, jobs in unschedulable)),
    ]
    lines = [f"  {title:<{_QUEUE_COLUMN}}{value}" for title, value in rows]
    lines += _examples("Scheduled jobs:", scheduled) + _examples("Preempted jobs:", preempted)
    if unschedulable:
        lines.append("  Unschedulable jobs:")
        lines += [f"   {len(jobs)}: {reason} (e.g., {jobs[0].id})" for reason, jobs in unschedulable]
    return "\n".join([f"{POOL}:", head, *lines, ""])


def _examples(title: str, jobs: Sequence[Job]) -> list[str]:
    more = f" (and {len(jobs) - 1} others not shown)" if len(jobs) > 1 else ""
    return [f"  {title:<{_QUEUE_COLUMN}}[{jobs[0].id}]{more}"] if jobs else []


def round_report(last: Round | None, capacity: Mapping[str, Fraction]) -> str:
    """Return the report on the newest scheduling round.

    :param capacity: what there is to give away
    """
    if last is None:
        return f"{POOL}:\n Most recent scheduling round: none\n"
    preempted = [job for job, _ in last.preempted]
    rows = [
        ("Started:", _time(last.started)),
        ("Finished:", _time(last.finished)),
        ("Duration:", f"{(last.finished - last.started) * 1000:.6g}ms"),
        ("Termination reason:", "no remaining candidate jobs"),
        ("Total capacity:", listing({name: amount for name, amount in capacity.items() if amount})),
        ("Scheduled resources:", _resources(last.leased)),
        ("Preempted resources:", _resources(preempted)),
        ("Number of gangs scheduled:", last.units),
        ("Number of jobs scheduled:", len(last.leased)),
        ("Number of jobs preempted:", len(preempted)),
        ("Scheduled queues:", _queues(last.leased)),
        ("Preempted queues:", _queues(preempted)),
    ]
    lines = [f"  {title:<{_ROUND_COLUMN}}{value}" for title, value in rows]
    return "\n".join([f"{POOL}:", " Most recent scheduling round:", *lines, ""])


def _queues(jobs: Iterable[Job]) -> str:
    return f"[{' '.join(dict.fromkeys(job.queue for job in jobs))}]"


def _resources(jobs: Iterable[Job]) -> str:
    total = add(job.requests for job in jobs)
    return listing(total) if total else "(empty)"


def _classes(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    classes: dict[str, list[Job]] = {}
    for job in jobs:
        classes.setdefault(job.priority_class, []).append(job)
    return dict(sorted(classes.items()))


def _by_class(jobs: Iterable[Job]) -> str:
    return " ".join(f"{name}={_resources(members)}" for name, members in _classes(jobs).items())


def _time(epoch: float) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC"
