"""What the embedded Armada knows of a job and of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from airflow_armada.api import submit_pb2
from airflow_armada.api.core_v1_pb2 import PodSpec
from airflow_armada.standalone import clock
from airflow_armada.standalone.ids import new_uuid
from airflow_armada.standalone.store.gangs import Gang

QUEUED = submit_pb2.QUEUED
LEASED = submit_pb2.LEASED
PENDING = submit_pb2.PENDING
RUNNING = submit_pb2.RUNNING
SUCCEEDED = submit_pb2.SUCCEEDED
FAILED = submit_pb2.FAILED
CANCELLED = submit_pb2.CANCELLED
PREEMPTED = submit_pb2.PREEMPTED
REJECTED = submit_pb2.REJECTED

ACTIVE = frozenset({LEASED, PENDING, RUNNING})
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, PREEMPTED, REJECTED})


@dataclass(slots=True)
class Run:
    """One attempt to run a job's pod; times are epoch seconds, 0 for not yet.

    :param state: a value of ``job_pb2.JobRunState``
    :param pod_id: what the events call ``kubernetes_id``
    """

    id: str = field(default_factory=new_uuid)
    pod_id: str = field(default_factory=new_uuid)
    leased: float = field(default_factory=clock.time)
    pending: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    end_state: int = 0
    error: str = ""


@dataclass(slots=True)
class Request:
    """Somebody's wish about a job, to be decided on by the scheduler.

    :param in_bulk: whether it is about all jobs of a queue, executor or node; then only its effect is told, in other
        words
    """

    user: str
    reason: str
    in_bulk: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """A submitted job.

    :param spec: the job as events and the query API show it, after the server's changes
    :param requests: what the job takes of each counted resource
    :param priority: lower goes first
    :param history: the states that the job has had, each with its epoch seconds
    :param ticket: which entry of the scheduler's queues is the valid one
    :param failures: how many of its runs have failed
    :param grown: the pod spec of its next runs, where a retry policy gives it more memory
    """

    spec: submit_pb2.Job
    requests: Mapping[str, Fraction]
    gang: Gang | None
    external_uri: str
    priority: int
    serial: int
    history: list[tuple[float, int]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    cancel_user: str = ""
    cancelled: float = 0.0
    error: str = ""
    ticket: int = 0
    attempts: int = 0
    failures: int = 0
    grown: PodSpec | None = None

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def queue(self) -> str:
        return self.spec.queue

    @property
    def job_set_id(self) -> str:
        return self.spec.job_set_id

    @property
    def pod_spec(self) -> PodSpec:
        """What its pod is made of."""
        return self.grown or self.spec.pod_spec

    @property
    def priority_class(self) -> str:
        return self.spec.pod_spec.priorityClassName

    @property
    def state(self) -> int:
        """The job's present state, a value of ``submit_pb2.JobState``."""
        return self.history[-1][1]

    @property
    def run(self) -> Run:
        """The job's newest run."""
        return self.runs[-1]

    @property
    def finished(self) -> bool:
        return self.state in TERMINAL

    def enter(self, state: int) -> None:
        """Note a change of state."""
        self.history.append((clock.time(), state))

    def count_attempt(self, attempted: bool) -> int:
        """Count a run whose lease was returned, if its pod has been tried, and return how many there were."""
        self.attempts += attempted
        return self.attempts

    def state_at(self, epoch: float) -> int | None:
        """Return the state that the job had at a time, or None if it was not known yet."""
        for since, state in reversed(self.history):
            if since <= epoch:
                return state
        return None
