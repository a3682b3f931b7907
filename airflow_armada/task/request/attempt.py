"""The try of a task that is running now, and what its earlier tries left behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowException, conf, process_age
from airflow_armada.task.request.identity import JobIdentity

if TYPE_CHECKING:
    from airflow_armada.wait.job_wait import JobWait

STORE_KEY = "armada_job"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """
    One try of one task instance.

    :param dag_id: id of the DAG.
    :param run_id: id of the DAG run.
    :param task_id: id of the task.
    :param map_index: index of the mapped task, -1 if it is not mapped.
    :param try_number: number of the try, which rises with every retry and clear.
    :param epoch: number of the last try before the user last cleared the task, 0 if never.
    :param started_at: when the try began, in seconds since the epoch; kept across deferrals.
    :param startup: seconds that this process of the worker took to start.
    :param reschedules: how often the try has already run and was put off by ``AirflowRescheduleException``.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    epoch: int
    started_at: float
    startup: float = 0.0
    reschedules: int = 0

    @classmethod
    def of(cls, context: Mapping[str, Any], retries: int) -> Attempt:
        """
        Read the context.

        Airflow sets ``max_tries`` to the number of tries so far plus ``retries`` when a task is cleared, and leaves
        it alone otherwise.

        :param context: Airflow's context.
        :param retries: retries of the task.
        :return: the try.
        """
        ti = context["ti"]
        started: datetime | None = ti.start_date
        return cls(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            try_number=ti.try_number,
            epoch=max(0, (ti.max_tries or 0) - retries),
            started_at=started.timestamp() if started else datetime.now().timestamp(),
            startup=process_age(),
            reschedules=context.get("task_reschedule_count") or 0,
        )

    @property
    def is_first(self) -> bool:
        """
        Whether nothing of this task can have run before, so that nothing can have left a job.

        Airflow counts up the tries whenever it runs a task again, after retries, clears and lost workers alike; only a
        try that was put off, or resumed, keeps its number.
        """
        return self.try_number <= 1 and not self.reschedules

    def identity(self, resubmission: int = 0, try_number: int | None = None) -> JobIdentity:
        """
        Give the identity of a job of this task.

        :param resubmission: how often the job was resubmitted within the try.
        :param try_number: of which try; this one by default.
        :return: the identity.
        """
        return JobIdentity(
            dag_id=self.dag_id,
            run_id=self.run_id,
            task_id=self.task_id,
            map_index=self.map_index,
            try_number=self.try_number if try_number is None else try_number,
            resubmission=resubmission,
            scope=conf.get("armada", "identity_scope", fallback=""),
        )

    def deadline(self, execution_timeout: timedelta | None) -> float | None:
        """
        Tell when the try must have ended.

        :param execution_timeout: of the task.
        :return: seconds since the epoch, or None.
        """
        return self.started_at + execution_timeout.total_seconds() if execution_timeout else None


@dataclass(frozen=True)
class JobRecord:
    """
    What is remembered of a job across the tries of its task.

    :param try_number: the try that submitted it.
    :param epoch: the epoch of that try, see :class:`Attempt`.
    :param client_id: its deduplication id.
    :param external_job_uri: its external URI.
    :param queue: its queue.
    :param job_set_id: its job set.
    :param resubmission: how often it was resubmitted within the try.
    :param job_id: its id; empty between the intent to submit and the answer.
    :param submitted_at: when that was, in seconds since the epoch.
    :param end: how it ended, if a task has seen that.
    """

    try_number: int
    epoch: int
    client_id: str
    external_job_uri: str
    queue: str
    job_set_id: str
    resubmission: int = 0
    job_id: str = ""
    submitted_at: float = 0.0
    end: str = ""

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
            queue=wait.queue,
            job_set_id=wait.job_set_id,
            resubmission=wait.resubmission,
            job_id=wait.job_id,
            submitted_at=wait.submitted_at,
            end=end,
        )


class Journal:
    """
    The record of the task's job in Airflow's ``task_state_store``, which survives retries and clears.

    Airflow before 3.3 has none; a store that fails costs safety nets, never the task.

    :param context: Airflow's context.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._store = context.get("task_state_store")

    @property
    def exists(self) -> bool:
        """Whether this Airflow has a store."""
        return self._store is not None

    def read(self) -> JobRecord | None:
        """Give the last record, or None if there is none that can be read."""
        try:
            stored = self._store.get(STORE_KEY) if self._store is not None else None
            return _record(stored) if isinstance(stored, Mapping) else None
        except Exception as error:
            log.warning("Cannot read the task's state store: %s", error)
            return None

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
                self._store.set(STORE_KEY, asdict(record))
            except Exception as error:
                if not record.job_id and _is_given_up(error):
                    raise AirflowException(
                        "Airflow has given up this try of the task; its job is not submitted"
                    ) from error
                log.warning("Cannot write the task's state store: %s", error)
        return record


def _is_given_up(error: Exception) -> bool:
    """Whether the execution API said so: a retry has taken the place of the task instance, which had another id."""
    return "Task instance" in str(error) and "not found" in str(error)


def _record(stored: Mapping[str, Any]) -> JobRecord:
    names = {field.name for field in fields(JobRecord)}
    return JobRecord(**{name: value for name, value in stored.items() if name in names})
