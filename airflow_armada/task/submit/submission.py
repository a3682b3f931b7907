"""One job per try: submit it, or find the one that an earlier attempt to do so has left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowException
from airflow_armada.client.job_ref import JobRef, created_at
from airflow_armada.exceptions import ArmadaRefused, call_error
from airflow_armada.task.arguments.checks import NEVER, RUNNING_OR_SUCCEEDED
from airflow_armada.task.request.attempt import Attempt
from airflow_armada.task.submit.record import JobRecord, Journal

if TYPE_CHECKING:
    from airflow_armada.api import submit_pb2
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.errors import ArmadaError
    from airflow_armada.client.typings import JobState
    from airflow_armada.task.request.identity import JobIdentity

ABANDONED = ("killed", "timed_out", "queued_too_long")
"""Ends that a task gave its job, by a cancel that Armada may not have heard."""

_QUEUE_GRACE = 15.0  # s; a new queue is unknown to Submit for up to 10 s
_LOOKUP_GRACE = 5.0  # s; the query service lags behind the submission
_OUTAGE_GRACE = 600.0  # s for which a server that cannot be reached is waited for
_ERROR_GRACE = 60.0  # s for which a server is asked again that answers with an error of its own
_PAUSE = 0.5
_STALE = 600.0  # s by which a job may seem older than its try before it is taken for somebody else's
_CANCEL_REASON = "replaced by a new try of the task"
_SURPLUS_REASON = "second job of one try of the task"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submitted:
    """
    The job of this try.

    :param record: what is known of it.
    :param adopted: whether an earlier try submitted it.
    """

    record: JobRecord
    adopted: bool = False


def _with_id(record: JobRecord, job_id: str) -> JobRecord:
    return replace(record, job=record.job._replace(job_id=job_id))


def _grace(error: ArmadaError) -> float:
    """Tell for how many seconds a submission is tried again after an error."""
    from airflow_armada.client.errors import CredentialsError, DeadlineExceeded, Unauthenticated, Unavailable

    if isinstance(error, Unavailable | DeadlineExceeded) or (isinstance(error, CredentialsError) and error.transient):
        return _OUTAGE_GRACE
    return _ERROR_GRACE if error.transient or isinstance(error, Unauthenticated) else 0.0


class Submission:
    """
    Submit the job of a try, at most once whatever died before.

    :param client: client of the site.
    :param attempt: the try.
    :param journal: record of earlier tries.
    :param queue: queue to submit to.
    :param job_set_id: job set to submit to.
    :param build: makes the request item for an identity.
    :param reattach: what a retry does with the job of an earlier try, one of
        :data:`~airflow_armada.task.arguments.checks.REATTACH_POLICIES`.
    :param resubmissions: how often an earlier try may have submitted its job again.
    :param killed: tells whether the task was killed, so that nothing may be submitted any more.
    """

    def __init__(
        self,
        client: ArmadaClient,
        attempt: Attempt,
        journal: Journal,
        *,
        queue: str,
        job_set_id: str,
        build: Callable[[JobIdentity], submit_pb2.JobSubmitRequestItem],
        reattach: str = RUNNING_OR_SUCCEEDED,
        resubmissions: int = 0,
        killed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._attempt = attempt
        self._journal = journal
        self._queue = queue
        self._job_set_id = job_set_id
        self._build = build
        self._reattach = reattach
        self._resubmissions = resubmissions
        self._killed = killed

    def acquire(self) -> Submitted:
        """
        Find the job of an earlier try that may be taken over, or submit one.

        :return: the job.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer; the next try goes on from here.
        """
        previous = None if self._attempt.is_first else self._journal.read() or self._earlier_try()
        kept = self._settle(previous) if previous else None
        return kept or Submitted(self.submit(0))

    def submit(self, resubmission: int) -> JobRecord:
        """
        Submit the job under the identity of this try.

        :param resubmission: how often it was resubmitted within the try.
        :return: the record of the job.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer.
        """
        record = self._send(self._attempt.identity(resubmission))
        created = created_at(record.job_id)
        if created is None or created > self._attempt.started_at - _STALE:
            return record
        # Deduplication lasts for days: the DAG run was deleted and made again, or another deployment has the same ids.
        log.warning("Armada took the job for %s, which is older than this try; submitting it anew", record.job_id)
        identity = self._attempt.identity(resubmission)
        return self._send(replace(identity, scope=f"{identity.scope}@{self._attempt.started_at}"))

    def _send(self, identity: JobIdentity) -> JobRecord:
        """Note the intent, submit, note the id: a death in between leaves what the next try needs to find the job."""
        item = self._build(identity)
        record = self._intent(identity, self._attempt.epoch)
        self._journal.write(record)
        return self._journal.write(_with_id(record, self._call_submit(record, item)))

    def _intent(self, identity: JobIdentity, epoch: int) -> JobRecord:
        return JobRecord(
            try_number=identity.try_number,
            epoch=epoch,
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
            job=JobRef(self._queue, self._job_set_id, ""),
            resubmission=identity.resubmission,
            submitted_at=time.time(),
        )

    def _call_submit(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem) -> str:
        """
        Submit; after a failure that leaves it open whether the server accepted, look for the job before trying again.

        Armada stores a client id only after it has published the job, so the client id alone may make a second one.

        :raises AirflowException: when the task was killed before.
        """
        if self._killed():
            raise AirflowException("The task was killed before its job was submitted")
        from airflow_armada.client.errors import ArmadaError, ArmadaRpcError, CredentialsError

        what = f"submit the job to queue {record.job.queue!r}"
        started, said = time.monotonic(), ""
        while True:
            try:
                return self._submit_item(record, item)
            except (ArmadaRpcError, CredentialsError) as error:
                if _grace(error) and str(error) != said:
                    said = str(error)
                    log.warning("Could not %s, trying again: %s", what, said)
                # Without credentials nothing was sent.
                sent = isinstance(error, ArmadaRpcError)
                job_id = self._find(record) if sent and error.transient else ""
                if job_id:
                    log.info("The submission was not answered, but Armada has the job %s", job_id)
                    return job_id
                if time.monotonic() - started >= _grace(error):
                    raise call_error(error, what) from error
                time.sleep(_PAUSE)
            except (ArmadaError, ValueError) as error:
                raise ArmadaRefused(f"Could not {what}: {error}") from error

    def _submit_item(self, record: JobRecord, item: submit_pb2.JobSubmitRequestItem) -> str:
        from airflow_armada.client.errors import QueueNotFound

        give_up = time.monotonic() + _QUEUE_GRACE
        while True:
            try:
                answer = self._client.submit_jobs(
                    record.job.queue, record.job.job_set_id, [item], find_lost=False
                ).job_response_items[0]
            except QueueNotFound:
                if time.monotonic() >= give_up or not self._queue_exists(record.job.queue):
                    raise
                time.sleep(_PAUSE)
                continue
            if answer.error or not answer.job_id:
                raise ArmadaRefused(f"Armada refused the job: {answer.error or 'it gave no job id'}")
            return answer.job_id

    def _queue_exists(self, queue: str) -> bool:
        """Ask the database, which knows a new queue at once, unlike the cache that submissions are checked against."""
        from airflow_armada.client.errors import ArmadaRpcError, NotFound

        try:
            self._client.get_queue(queue)
        except NotFound:
            return False
        except ArmadaRpcError:
            return True
        return True

    def _earlier_try(self) -> JobRecord | None:
        """Without a state store, guess what the try before would have recorded."""
        number = self._attempt.try_number - 1
        if self._journal.exists or number < 1:
            return None
        epoch = self._attempt.epoch if number > self._attempt.epoch else -1
        for resubmission in range(self._resubmissions, -1, -1):
            identity = self._attempt.identity(resubmission, number)
            record = replace(self._intent(identity, epoch), submitted_at=0.0)
            # Only the newest may be so young that the query service does not know it yet.
            job_ids = [self._find(record)] if resubmission == self._resubmissions else self._found(record)
            if job_id := min(filter(None, job_ids), default=""):
                return replace(_with_id(record, job_id), submitted_at=created_at(job_id) or time.time())
        return None

    def _settle(self, previous: JobRecord) -> Submitted | None:
        """Take over the job of an earlier try, or see to it that it does not run beside the new one."""
        attempt = self._attempt
        if previous.try_number == attempt.try_number and previous.epoch == attempt.epoch:
            return Submitted(self._complete(previous))
        if previous.epoch != attempt.epoch or self._reattach == NEVER or previous.end in ABANDONED:
            self._discard(previous)
            return None
        if previous.end:
            return self._adopt(previous) if previous.end == "succeeded" and self._adopts_succeeded else None
        from airflow_armada.client.typings import JobState

        record = self._complete(previous)
        state = self._state(record.job_id)
        adopts = state is JobState.SUCCEEDED and self._adopts_succeeded
        return self._adopt(record) if adopts or not state.is_terminal() else None

    @property
    def _adopts_succeeded(self) -> bool:
        return self._reattach == RUNNING_OR_SUCCEEDED

    def _adopt(self, record: JobRecord) -> Submitted:
        log.info("Taking over Armada job %s of try %d", record.job_id, record.try_number)
        return Submitted(record, adopted=True)

    def _complete(self, record: JobRecord) -> JobRecord:
        """Give a record its job id; where only the intent is known, submitting it again finds or makes the job."""
        if record.job_id:
            return record
        job_id = self._find(record)
        if not job_id:
            identity = self._attempt.identity(record.resubmission, record.try_number)
            item = self._build(identity)
            item.client_id, item.external_job_uri = record.client_id, record.external_job_uri
            job_id = self._call_submit(record, item)
        return self._journal.write(_with_id(record, job_id))

    def _discard(self, record: JobRecord) -> None:
        """Cancel the job that a user's clear, or the policy, has made obsolete: exactly that one."""

        ended = record.end and record.end not in ABANDONED
        job_id = "" if ended else record.job_id or self._find(record)
        # The trigger of the try before may have been quicker, and nobody notes a success.
        if not job_id or self._state(job_id).is_terminal():
            return
        self._patiently(
            lambda: self._client.cancel_jobs(
                record.job.queue, record.job.job_set_id, job_id=job_id, reason=_CANCEL_REASON
            ),
            f"cancel job {job_id} of try {record.try_number}",
        )
        log.info("Cancelled Armada job %s of try %d, which this try replaces", job_id, record.try_number)

    def _find(self, record: JobRecord) -> str:
        """Look for a job by its external URI; the query service may need a moment to know it."""
        give_up = time.monotonic() + _LOOKUP_GRACE
        while True:
            # A DAG run that was deleted and made again has the same URIs.
            oldest = record.submitted_at - _STALE
            job_ids = sorted(one for one in self._found(record) if (created_at(one) or oldest) >= oldest)
            if job_ids:
                # Several exist if submissions raced; everybody picks the oldest.
                self._cancel_surplus(record, job_ids[1:])
                return job_ids[0]
            if time.monotonic() >= give_up:
                return ""
            time.sleep(_PAUSE)

    def _cancel_surplus(self, record: JobRecord, job_ids: list[str]) -> None:
        from airflow_armada.client.errors import ArmadaRpcError

        if not job_ids:
            return
        log.warning("Armada made more than one job of this try; cancelling %s", ", ".join(job_ids))
        try:
            self._client.cancel_jobs(record.job.queue, record.job.job_set_id, job_ids=job_ids, reason=_SURPLUS_REASON)
        except ArmadaRpcError as error:
            log.error("Cannot cancel %s: %s", ", ".join(job_ids), error)

    def _found(self, record: JobRecord) -> list[str]:
        """Ask which jobs have the external URI; only an answer can tell that there is none."""
        from airflow_armada.client.errors import ArmadaRpcError

        uri = record.external_job_uri
        try:
            answer: Any = self._patiently(
                lambda: self._client.get_job_status_by_external_job_uri(record.job.queue, record.job.job_set_id, uri),
                f"look for the job of try {record.try_number}",
            )
        except ArmadaRefused as error:
            if isinstance(error.__cause__, ArmadaRpcError) and _grace(error.__cause__) > 0:
                raise
            log.debug("Cannot look for %s: %s", uri, error)  # an older server has no such call
            return []
        return list(answer.job_states)

    def _state(self, job_id: str) -> JobState:
        """Ask for the state of a job; what the query service does not know yet counts as unknown, so as running."""
        from airflow_armada.client.typings import JobState

        what = f"ask for the state of job {job_id}"
        states = self._patiently(lambda: self._client.get_job_status([job_id]), what).job_states
        return JobState(states.get(job_id, JobState.UNKNOWN.value))

    def _patiently(self, call: Callable[[], Any], what: str) -> Any:
        """
        Make a call that can be repeated, for as long as its failure may pass.

        :param call: makes it.
        :param what: what is tried, for the message.
        :return: the answer.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer.
        """
        from airflow_armada.client.errors import ArmadaRpcError

        started = time.monotonic()
        while True:
            try:
                return call()
            except ArmadaRpcError as error:
                if time.monotonic() - started >= _grace(error):
                    raise call_error(error, what) from error
                log.debug("Could not %s, trying again: %s", what, error)
            time.sleep(_PAUSE)
