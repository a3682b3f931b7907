"""
Sending a job to Armada so that one comes of it, whatever becomes of the answer.

While Armada's message bus is away, a submission blocks, and is published later although its caller has gone; Armada has
then forgotten its client id. So after any attempt that may have been accepted, more than one job of the identity may
come, and no look that finds none is certain: the query service hears from the same bus. Certain is that everything
published before a job is known once the query service knows that job. What comes later still is seen by whoever follows
the job set; see :func:`~airflow_armada.wait.following.wait_for_job`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airflow_armada._compat import AirflowException
from airflow_armada.client.patience import Kind, Patience, Trouble, retry
from airflow_armada.exceptions import ArmadaRefused, ArmadaUnavailable, call_error, id_of_submitted, may_have_happened
from airflow_armada.task.submit.lookup import Lookup
from airflow_armada.task.uninterrupted import begin
from airflow_armada.wait.cancel import SURPLUS, cancel
from airflow_armada.wait.patience import FOR_CALLS

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2
    from airflow_armada.client.job_ref import JobRef
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.client.typings import JobState
    from airflow_armada.task.kill import Kill
    from airflow_armada.task.submit.record import JobRecord, Journal

_NEW_QUEUE = Patience(error=15.0, most=0.5)  # a new queue is unknown to Submit for up to 10 s
_CERTAIN = 60.0  # s for which the query service may lag behind an answered submission
_PAUSE = 0.5

log = logging.getLogger(__name__)


class Submission:
    """
    Sends jobs to one site.

    :param lookup: asks the site.
    :param settings: the site, for cancels.
    :param journal: where intents and ids are noted.
    :param kill: tells whether the task was killed, so that nothing may be submitted any more.
    :ivar unsettled: what may have been submitted, and is not in the hands of the caller yet; its job id is empty while
        it is not known.
    """

    def __init__(self, lookup: Lookup, settings: Callable[[], SiteSettings], journal: Journal, kill: Kill) -> None:
        self.unsettled: JobRecord | None = None
        self._lookup = lookup
        self._settings = settings
        self._journal = journal
        self._kill = kill
        self._answer: Future[str] | None = None
        self._in_doubt = False

    def send(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem, *, in_doubt: bool = False) -> JobRecord:
        """
        Note the intent, submit, note the id: a death in between leaves what the next try needs to find the job.

        :param record: the intent.
        :param item: the request.
        :param in_doubt: whether an earlier attempt may have been accepted.
        :return: the record with the id of the job.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer; the next try goes on from here.
        :raises AirflowException: when the task was killed, or Airflow has given up the try.
        """
        self._journal.write(record)
        self._in_doubt = in_doubt
        self.unsettled = record if in_doubt else None
        self.unsettled = record.with_job_id(self._submit(record, item))
        return self._journal.write(self.unsettled)

    def wait_until_known(self, record: JobRecord) -> dict[str, JobState]:
        """
        Wait until the query service knows a job, and so all that was published before it.

        :param record: a job whose submission was answered.
        :return: all jobs of its identity that are known by then, with their states.
        """
        give_up = time.monotonic() + _CERTAIN
        while True:
            try:
                found = self._lookup.jobs(record)
            except ArmadaUnavailable as error:
                log.warning("Armada may have made more than one job of this try, and does not say: %s", error)
                return {}
            if record.job_id in found or time.monotonic() >= give_up or self._kill.wait(_PAUSE):
                return found

    def keep_one(self, record: JobRecord, jobs: Mapping[str, JobState]) -> str:
        """
        Choose among several jobs of an identity, as everybody does, and cancel the others.

        :param record: the identity.
        :param jobs: its jobs with their states.
        :return: the oldest that was not cancelled.
        """
        from airflow_armada.client.calls.lost import one_to_keep

        kept, surplus = one_to_keep(jobs)
        for job_id in surplus:
            log.warning("Armada made more than one job of this try; cancelling %s", job_id)
            self.cancel(record.job._replace(job_id=job_id), SURPLUS)
        return kept

    def cancel(self, job: JobRef, reason: str) -> None:
        """Cancel a job that is not this try's."""
        cancel(job, self._settings, reason, FOR_CALLS, self._kill.wait)

    def outcome(self, seconds: float) -> list[JobRef]:
        """
        Find out what has come of a submission for which the task can wait no longer.

        :param seconds: how long that may take.
        :return: its jobs; none where nothing was accepted, or nobody can tell.
        """
        record = self.unsettled
        if record is None:
            return []
        if record.job_id:
            return [record.job]
        until, found = time.monotonic() + seconds, set[str]()
        if self._answer is not None:
            try:
                found.add(self._answer.result(seconds))
            except TimeoutError:
                return []
            except Exception as error:
                if not self._in_doubt and not may_have_happened(error):
                    return []
        while not found and time.monotonic() < until:
            try:
                found.update(self._lookup.jobs(record))
            except Exception as error:
                log.warning("Cannot look for the job that may have been submitted: %s", error)
            if not found and self._kill.wait(_PAUSE):
                break
        if found:
            self.unsettled = known = record.with_job_id(min(found))
            if self._in_doubt:
                found.update(self.wait_until_known(known))
        return [record.job._replace(job_id=job_id) for job_id in sorted(found)]

    def _submit(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem) -> str:
        """Submit until there is one job; after an attempt that may have been accepted, look before the next one."""
        from airflow_armada.client.errors import ArmadaError, ArmadaRpcError, CredentialsError
        from airflow_armada.client.typings import JobState

        what, said = f"submit the job to queue {record.job.queue!r}", ""
        trouble = Trouble(FOR_CALLS)
        log.info("Submitting a job to queue %s", record.job.queue)
        while True:
            if self._kill.came:
                raise AirflowException("The task was killed before its job was submitted")
            try:
                job_id = self._call(record, item)
                break
            except (ArmadaRpcError, CredentialsError) as error:
                self._in_doubt = self._in_doubt or may_have_happened(error)
                if not self._in_doubt:
                    self.unsettled = None
                elif jobs := self._lookup.young_jobs(record):
                    job_id = self.keep_one(record, jobs)
                    log.info("The submission was not answered, but Armada has the job %s", job_id)
                    return job_id
                pause = trouble.pause_after(error, time.monotonic())
                if pause is None:
                    raise call_error(error, what) from error
                if str(error) != said:
                    said = str(error)
                    log.warning("Could not %s, trying again: %s", what, said)
                self._kill.wait(pause)
            except (ArmadaError, ValueError) as error:
                self.unsettled = record if self._in_doubt else None
                raise ArmadaRefused(f"Could not {what}: {error}") from error
        if self._in_doubt:
            answered = record.with_job_id(job_id)
            self.unsettled = answered
            jobs = self.wait_until_known(answered)
            job_id = self.keep_one(record, {job_id: JobState.UNKNOWN, **jobs})
        return job_id

    def _call(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem) -> str:
        """Make one attempt beside the main thread: its answer is not lost when Airflow's alarm interrupts that."""
        self.unsettled = record
        self._answer = begin(lambda: self._submit_item(record, item), "armada-submit")
        return self._answer.result()

    def _submit_item(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem) -> str:
        from airflow_armada.client.errors import QueueNotFound

        queue, job_set_id, _ = record.job

        def attempt() -> submit_pb2.JobSubmitResponse:
            return self._lookup.client.submit_jobs(queue, job_set_id, [item], find_lost=False)

        def kind(error: BaseException) -> Kind:
            return Kind.ERROR if isinstance(error, QueueNotFound) and self._queue_exists(queue) else Kind.FINAL

        return id_of_submitted(retry(attempt, _NEW_QUEUE, kind=kind, sleep=self._kill.wait))

    def _queue_exists(self, queue: str) -> bool:
        """Ask the database, which knows a new queue at once, unlike the cache that submissions are checked against."""
        from airflow_armada.client.errors import ArmadaRpcError, NotFound

        try:
            self._lookup.client.get_queue(queue)
        except NotFound:
            return False
        except ArmadaRpcError:
            return True
        return True
