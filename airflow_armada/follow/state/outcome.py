"""How a job ended, as plain data that fits into a trigger event and an XCom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_armada.client.foreign_text import storable_value
from airflow_armada.client.stored import stored_fields
from airflow_armada.follow.state.progress import JobProgress

if TYPE_CHECKING:
    from airflow_armada.follow.followed_job import FollowedJob

VERSION = 1
"""Version of the dict that :meth:`Outcome.to_dict` gives; raised when a reader of an older one would misread it."""

SUCCEEDED = "succeeded"
FAILED = "failed"
REJECTED = "rejected"
PREEMPTED = "preempted"
CANCELLED = "cancelled"
LOST = "lost"
TIMED_OUT = "timed_out"
QUEUED_TOO_LONG = "queued_too_long"

LOG_GONE = "its pod is gone"
"""The gap of a log that nobody can read any more."""

STATUSES = frozenset({SUCCEEDED, FAILED, REJECTED, PREEMPTED, CANCELLED, LOST, TIMED_OUT, QUEUED_TOO_LONG})


@dataclass(frozen=True)
class Outcome:
    """The end of a job, or of the wait for it, with what is known about its last run.

    :param status: one of :data:`STATUSES`; the last two say that a deadline passed while the job was still alive
    :param job_id: Armada's id of the job
    :param queue: its queue
    :param job_set_id: its job set
    :param reason: why, in the words of whoever ended it; "" when it succeeded
    :param exit_codes: exit code of each container that terminated, by container name
    :param cause: "" or one of Error, OOM, Evicted, DeadlineExceeded, Rejected
    :param failure_category: the server's category of the failure, such as ``internal``; "" when it gave none
    :param failure_subcategory: its finer category
    :param cluster: the cluster of the last run
    :param pool: the pool of the last run
    :param node: the node of the last run
    :param pod: the pod of the last run
    :param run_id: the id of the last run, where a source named it
    :param requestor: who cancelled or preempted it
    :param preempting_job_id: the job that took its place
    :param submitted_at: RFC 3339 time, or "" when unknown; likewise ``leased_at``, ``pending_at``, ``running_at`` and
        ``finished_at``, all of the last run
    :param resources: the highest use seen of each resource, as Kubernetes quantities
    :param ran: whether a container of the job was ever seen to run
    :param log_positions: container to ``[timestamp, lines shown of that timestamp]``: where to go on reading its log
    :param logs_complete: whether all that could be had of the log was handed to the observer
    :param log_gap: why something of the log could not be had, such as :data:`LOG_GONE`; "" when nothing is missing
    :param addresses: port to ``host`` or ``host:port``, for the ports that the last run exposed
    """

    status: str
    job_id: str
    queue: str = ""
    job_set_id: str = ""
    reason: str = ""
    exit_codes: dict[str, int] = field(default_factory=dict)
    cause: str = ""
    failure_category: str = ""
    failure_subcategory: str = ""
    cluster: str = ""
    pool: str = ""
    node: str = ""
    pod: str = ""
    run_id: str = ""
    requestor: str = ""
    preempting_job_id: str = ""
    submitted_at: str = ""
    leased_at: str = ""
    pending_at: str = ""
    running_at: str = ""
    finished_at: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    ran: bool = False
    log_positions: dict[str, list[Any]] = field(default_factory=dict)
    logs_complete: bool = True
    log_gap: str = ""
    addresses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take what a server or a job wrote only as a database can store it, whoever makes an outcome."""
        for name in _DEFAULTS:
            value = getattr(self, name)
            if value and isinstance(value, str | dict):
                object.__setattr__(self, name, storable_value(value))

    def to_dict(self) -> dict[str, Any]:
        """Return it as builtins; fields at their default are left out, so that it stays small."""
        content: dict[str, Any] = {"version": VERSION}
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                content[name] = dict(value) if isinstance(value, dict) else value
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Outcome:
        """Rebuild an outcome; unknown keys are ignored and missing ones take their default.

        :raises ValueError: when the status or the job id is missing, the status is none of ours, or a value is not of
            its type
        """
        known = stored_fields(cls, content)
        if known["status"] not in STATUSES or not known["job_id"]:
            raise ValueError(
                f"not an outcome of a job: status {content.get('status')!r}, job {content.get('job_id')!r}"
            )
        return cls(**known)


_FACTORIES: dict[str, Any] = {
    "exit_codes": {},
    "resources": {},
    "log_positions": {},
    "addresses": {},
    "status": None,
    "job_id": None,
}
_DEFAULTS: dict[str, Any] = {item.name: _FACTORIES.get(item.name, item.default) for item in fields(Outcome)}


_CARRIED = (set(_DEFAULTS) & set(JobProgress._fields)) - {"reason", "addresses"}
"""What is told of an end as it was known of the job."""


def to_outcome(job: FollowedJob, state: JobProgress, status: str) -> Outcome:
    """Make the outcome of a job out of its state.

    :param job: the job
    :param state: the last that is known of it
    :param status: how it ended, or which deadline has passed
    """
    known: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in state._asdict().items()
    }
    return Outcome(
        status=status,
        job_id=job.job_id,
        queue=job.ref.queue,
        job_set_id=job.ref.job_set_id,
        reason=state.reason if state.end else state.note,
        addresses={str(port): address for port, address in state.addresses.items()},
        **{name: known[name] for name in _CARRIED},
    )
