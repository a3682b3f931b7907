"""What Armada's query service says of the jobs of a task."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_armada.client.foreign_text import storable
from airflow_armada.client.job_ref import created_at
from airflow_armada.client.patience import Kind, kind_of, retry
from airflow_armada.exceptions import call_error
from airflow_armada.wait.patience import FOR_CALLS

if TYPE_CHECKING:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.typings import JobState
    from airflow_armada.task.submit.record import JobRecord

T = TypeVar("T")

STALE = 600.0
"""s by which a job may seem older than its try before it is taken for somebody else's."""

_LAG = 5.0  # s by which the query service lags behind what was submitted
_PAUSE = 0.5

log = logging.getLogger(__name__)


class Lookup:
    """
    Asks one site, and waits out what may pass.

    :param client: client of the site.
    :param wait: waits so many seconds; a true result stops the asking, because the task was killed.
    """

    def __init__(self, client: ArmadaClient, wait: Callable[[float], object] = time.sleep) -> None:
        self.client = client
        self.wait = wait

    def jobs(self, record: JobRecord) -> dict[str, JobState]:
        """
        Ask for the jobs of an identity.

        :param record: says which identity.
        :return: their states by their ids, the oldest first; those of a DAG run of the same name that was deleted are
            left out. Empty where the server does not answer such questions.
        :raises ArmadaUnavailable: when there is no answer.
        """
        from airflow_armada.client.errors import ArmadaRpcError
        from airflow_armada.client.typings import JobState

        def ask() -> dict[str, int]:
            answer = self.client.get_job_status_by_external_job_uri(
                record.job.queue, record.job.job_set_id, record.external_job_uri
            )
            return dict(answer.job_states)

        try:
            found = self._ask(ask, f"look for the job of try {record.try_number}")
        except ArmadaRpcError as error:
            log.debug("Cannot look for %s: %s", record.external_job_uri, error)  # an older server has no such call
            return {}
        oldest = record.submitted_at - STALE
        return {job_id: JobState(found[job_id]) for job_id in sorted(found) if (created_at(job_id) or oldest) >= oldest}

    def young_jobs(self, record: JobRecord) -> dict[str, JobState]:
        """Ask like :meth:`jobs`, and give the query service the time by which it lags."""
        give_up = time.monotonic() + _LAG
        while not (found := self.jobs(record)) and time.monotonic() < give_up:
            if self.wait(_PAUSE):
                break
        return found

    def state(self, job_id: str) -> JobState:
        """
        Ask for the state of a job.

        :param job_id: the job.
        :return: its state; what the query service does not know yet counts as unknown, so as running.
        :raises ArmadaUnavailable: when there is no answer.
        """
        from airflow_armada.client.errors import ArmadaRpcError
        from airflow_armada.client.typings import JobState

        try:
            states = self._ask(
                lambda: dict(self.client.get_job_status([job_id]).job_states), f"ask for the state of job {job_id}"
            )
        except ArmadaRpcError as error:
            log.debug("Cannot ask for the state of %s: %s", job_id, error)
            return JobState.UNKNOWN
        return JobState(states.get(job_id, JobState.UNKNOWN.value))

    def reason(self, job_id: str) -> str:
        """
        Ask once why a job has ended.

        :param job_id: the job.
        :return: in the words of whoever ended it; empty where nobody says so.
        """
        from airflow_armada.client.errors import ArmadaError

        try:
            return storable(self.client.get_job_errors([job_id]).job_errors.get(job_id, ""))
        except ArmadaError as error:
            log.debug("Cannot ask why %s has ended: %s", job_id, error)
            return ""

    def has_ended(self, job_id: str) -> bool:
        """
        Look once whether a job has ended.

        :param job_id: the job.
        :return: false also where nobody says so.
        """
        from airflow_armada.client.errors import ArmadaError
        from airflow_armada.client.typings import JobState

        try:
            states = self.client.get_job_status([job_id]).job_states
        except ArmadaError:
            return False
        return job_id in states and JobState(states[job_id]).is_terminal()

    def _ask(self, ask: Callable[[], T], what: str) -> T:
        """Make a call; a refusal goes through, what may pass is waited out and then ``ArmadaUnavailable``."""
        from airflow_armada.client.errors import ArmadaError, ArmadaRpcError

        def told(error: Exception, pause: float) -> None:
            log.debug("Could not %s, trying again: %s", what, error)

        try:
            return retry(ask, FOR_CALLS, told=told, sleep=self.wait)
        except ArmadaError as error:
            if isinstance(error, ArmadaRpcError) and kind_of(error) is Kind.FINAL:
                raise
            raise call_error(error, what) from error
