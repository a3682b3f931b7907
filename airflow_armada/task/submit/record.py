"""What is remembered of a task's job across its tries, in Airflow's ``task_state_store``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowException
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.stored import stored_fields, stored_text

if TYPE_CHECKING:
    from airflow_armada.tries.attempt import Attempt
    from airflow_armada.wait.job_wait import JobWait

STORE_KEY = "armada_job"

log = logging.getLogger(__name__)


class RecordUnreadable(Exception):
    """The store does not answer, or holds what nobody can read: there may be a record."""


@dataclass(frozen=True)
class JobRecord:
    """
    What is remembered of a job across the tries of its task.

    :param try_number: the try that submitted it.
    :param epoch: the epoch of that try, see :class:`~airflow_armada.tries.attempt.Attempt`.
    :param client_id: its deduplication id.
    :param external_job_uri: its external URI.
    :param job: the job; its id is empty between the intent to submit and the answer. The stored form has its three
        parts beside the other fields.
    :param resubmission: how often it was resubmitted within the try.
    :param submitted_at: when that was, in seconds since the epoch.
    :param end: how it ended, if a task has seen that.
    :param armada_conn_id: the connection that it was submitted by; empty in records of older versions.
    :param spent: how many of the resubmissions of its try are used up with it.
    """

    try_number: int
    epoch: int
    client_id: str
    external_job_uri: str
    job: JobRef
    resubmission: int = 0
    submitted_at: float = 0.0
    end: str = ""
    armada_conn_id: str = ""
    spent: int = 0

    @property
    def job_id(self) -> str:
        """The id of the job; empty while only the intent to submit it is known."""
        return self.job.job_id

    def with_job_id(self, job_id: str) -> JobRecord:
        """Give the record with the id of its job."""
        return replace(self, job=self.job._replace(job_id=job_id))

    @classmethod
    def ended(cls, attempt: Attempt, wait: JobWait, end: str) -> JobRecord:
        """
        Make the record of a job whose end a try has learnt.

        :param attempt: the try.
        :param wait: the job.
        :param end: how it ended.
        :return: the record.
        """
        identity = attempt.identity(wait.resubmission)
        return cls(
            try_number=identity.try_number,
            epoch=attempt.epoch,
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
            job=wait.job,
            resubmission=wait.resubmission,
            submitted_at=wait.submitted_at,
            end=end,
            armada_conn_id=wait.armada_conn_id,
            spent=wait.spent,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the form in which it is stored: builtins, not nested."""
        stored = asdict(self)
        return self.job._asdict() | {name: value for name, value in stored.items() if name != "job"}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> JobRecord:
        """
        Read what :meth:`to_dict` gave, also that of another version: what is not known is left out.

        :param stored: the values.
        :return: the record.
        :raises ValueError: when a value is missing, or is not of its type.
        """
        job = JobRef(*(stored_text({"job_id": "", **stored}, part) for part in JobRef._fields))
        return cls(job=job, **stored_fields(cls, stored, {"job"}))


class Journal:
    """
    The record of the task's job in Airflow's ``task_state_store``, which survives retries and clears.

    Airflow before 3.3 has none; a store that fails costs safety nets, never the task.

    :param context: Airflow's context.
    :ivar given_up: whether Airflow was heard to have given up this try; another one takes over what it leaves.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.given_up = False
        self._store = context.get("task_state_store")

    def read(self) -> JobRecord | None:
        """
        Give the last record.

        :return: the record, or None where there is none.
        :raises RecordUnreadable: when nobody can tell.
        """
        try:
            stored = self._store.get(STORE_KEY) if self._store is not None else None
            return JobRecord.from_dict(stored) if isinstance(stored, Mapping) else None
        except Exception as error:
            log.warning("Cannot read the task's state store: %s", error)
            raise RecordUnreadable(str(error)) from error

    def write(self, record: JobRecord) -> JobRecord:
        """
        Replace the record.

        :param record: what to remember.
        :return: the same.
        :raises AirflowException: when a job is about to be submitted for a try that Airflow has given up: the next try
            would find nothing of it.
        """
        if self._store is not None:
            try:
                self._store.set(STORE_KEY, record.to_dict())
            except Exception as error:
                self.given_up = self.given_up or _is_given_up(error)
                if not record.job_id and self.given_up:
                    raise AirflowException(
                        "Airflow has given up this try of the task; its job is not submitted"
                    ) from error
                log.warning("Cannot write the task's state store: %s", error)
        return record


def _is_given_up(error: Exception) -> bool:
    """Whether the execution API said so: a retry has taken the place of the task instance, which had another id."""
    return "Task instance" in str(error) and "not found" in str(error)
