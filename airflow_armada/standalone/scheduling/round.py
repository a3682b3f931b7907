"""What one scheduling round decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_armada.standalone.store.model import Job


@dataclass
class Round:
    """Decisions in the order in which they are to be carried out.

    :param preempted: jobs to stop, each with the job that takes its place
    :param rejected: jobs that can never run, each with the reason
    :param unschedulable: queue, reason and jobs of each unit that was looked at and did not fit
    :param units: how many jobs and gangs were leased
    :param started: epoch seconds
    """

    leased: list[Job] = field(default_factory=list)
    preempted: list[tuple[Job, Job]] = field(default_factory=list)
    rejected: list[tuple[Job, str]] = field(default_factory=list)
    unschedulable: list[tuple[str, str, tuple[Job, ...]]] = field(default_factory=list)
    units: int = 0
    started: float = 0.0
    finished: float = 0.0
