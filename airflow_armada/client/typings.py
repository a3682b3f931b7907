"""The kinds of events and the states of jobs, as enums."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from airflow_armada.api.event_pb2 import (
    EventMessage,
    JobCancelledEvent,
    JobCancellingEvent,
    JobFailedEvent,
    JobIngressInfoEvent,
    JobLeasedEvent,
    JobLeaseExpiredEvent,
    JobLeaseReturnedEvent,
    JobPendingEvent,
    JobPreemptedEvent,
    JobPreemptingEvent,
    JobQueuedEvent,
    JobReprioritizedEvent,
    JobReprioritizingEvent,
    JobRunningEvent,
    JobSubmittedEvent,
    JobSucceededEvent,
    JobTerminatedEvent,
    JobUtilisationEvent,
)

__all__ = ["EventType", "JobState", "OneOfJobEvent"]


class EventType(Enum):
    """What an event tells about its job. A kind that this version does not know yet is ``unknown``."""

    submitted = "submitted"
    queued = "queued"
    leased = "leased"
    lease_returned = "lease_returned"
    lease_expired = "lease_expired"
    pending = "pending"
    running = "running"
    failed = "failed"
    succeeded = "succeeded"
    reprioritized = "reprioritized"
    cancelling = "cancelling"
    cancelled = "cancelled"
    utilisation = "utilisation"
    ingress_info = "ingress_info"
    reprioritizing = "reprioritizing"
    preempted = "preempted"
    preempting = "preempting"
    unknown = "unknown"


class JobState(Enum):
    """The state of a job, as the query API gives it and ``cancel_jobset`` takes it.

    A number that this version does not know yet is ``UNKNOWN``, so that a newer server does not stop a consumer.
    """

    QUEUED = 0
    PENDING = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILED = 4
    UNKNOWN = 5
    SUBMITTED = 6
    LEASED = 7
    PREEMPTED = 8
    CANCELLED = 9
    REJECTED = 10

    @classmethod
    def _missing_(cls, value: object) -> JobState | None:
        return cls.UNKNOWN if isinstance(value, int) else None

    def is_terminal(self) -> bool:
        """Return whether the job has ended, well or not."""
        return self in _TERMINAL

    def is_active(self) -> bool:
        """Return whether the job has not ended, which includes a state that is not known."""
        return self not in _TERMINAL


_TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.PREEMPTED, JobState.CANCELLED, JobState.REJECTED})

OneOfJobEvent: TypeAlias = (
    JobSubmittedEvent
    | JobQueuedEvent
    | JobLeasedEvent
    | JobLeaseReturnedEvent
    | JobLeaseExpiredEvent
    | JobPendingEvent
    | JobRunningEvent
    | JobIngressInfoEvent
    | JobFailedEvent
    | JobPreemptingEvent
    | JobPreemptedEvent
    | JobSucceededEvent
    | JobUtilisationEvent
    | JobReprioritizingEvent
    | JobReprioritizedEvent
    | JobCancellingEvent
    | JobCancelledEvent
    | JobTerminatedEvent
    | EventMessage
)
"""The message of an event; an event of unknown kind has the enclosing ``EventMessage`` itself."""
