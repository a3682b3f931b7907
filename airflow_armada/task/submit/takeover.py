"""What a try does with the job of an earlier one: take it over, or end it before it runs beside its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_armada.client.job_ref import JobRef, created_at
from airflow_armada.exceptions import ArmadaUnavailable
from airflow_armada.task.arguments.checks import NEVER
from airflow_armada.task.submit.lookup import STALE, Lookup
from airflow_armada.task.submit.policy import Policy, state_of
from airflow_armada.task.submit.record import JobRecord, Journal, RecordUnreadable
from airflow_armada.task.submit.submitted import Submitted

if TYPE_CHECKING:
    from airflow_armada.client.typings import JobState
    from airflow_armada.task.request.target import Target
    from airflow_armada.task.submit.submission import Submission
    from airflow_armada.tries.attempt import Attempt
    from airflow_armada.tries.identity import JobIdentity

ABANDONED = ("killed", "timed_out", "queued_too_long")
"""Ends that a task gave its job, by a cancel that Armada may not have heard."""

REPLACED = "replaced by a new try of the task"

log = logging.getLogger(__name__)


class Takeover:
    """
    Gets the job of a try: an earlier one, or a new one.

    :param attempt: the try.
    :param journal: record of earlier tries.
    :param target: where to submit.
    :param policy: what to do with earlier jobs.
    :param lookups: asks the site of a connection.
    :param submissions: sends to the site of a connection.
    :ivar left: the job of an earlier try that this one is to take over or to end, as long as it has done neither.
    """

    def __init__(
        self,
        attempt: Attempt,
        journal: Journal,
        target: Target,
        policy: Policy,
        lookups: Callable[[str], Lookup],
        submissions: Callable[[str], Submission],
    ) -> None:
        self.left: JobRecord | None = None
        self._doubts: list[JobRecord] = []
        self._attempt = attempt
        self._journal = journal
        self._target = target
        self._policy = policy
        self._lookups = lookups
        self._submissions = submissions

    def acquire(self) -> Submitted:
        """
        Find the job of an earlier try that may be taken over, or submit one.

        :return: the job.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer; the next try goes on from here.
        """
        if self._attempt.is_first:
            return Submitted(self.submit(0))
        previous = self._previous()
        self._doubts = self._in_doubt(previous)
        if previous is None:
            return self._look_again(Submitted(self.submit(0)))
        self.left = previous
        kept = self._settle(previous)
        self.left = None
        if kept is None:
            kept = Submitted(self.submit(self._next_number(previous)))
        return self._look_again(kept) if self._doubts else kept

    def _in_doubt(self, previous: JobRecord | None) -> list[JobRecord]:
        """Give the submissions of earlier tries of which nobody knows whether a job has come, or will."""
        newest = self._attempt.try_number - 1
        doubts = [previous] if previous is not None and not previous.job_id else []
        for number in range(previous.try_number + 1 if previous is not None else newest, newest + 1):
            doubts += self._guesses(number)
        return doubts

    def late_jobs(self) -> list[JobRef]:
        """
        Find jobs of earlier tries that nobody knew of when this try submitted its own.

        While Armada's message bus is away, a look finds nothing; once this try's job is known, what was published
        before it is known, too.

        :return: those that have not ended.
        """
        submission = self._submissions(self._target.armada_conn_id)
        own = submission.unsettled
        doubts = [doubt for doubt in self._doubts if own is None or doubt.client_id != own.client_id]
        if own is not None and own.job_id and doubts:
            submission.wait_until_known(own)
        found: list[JobRef] = []
        for doubt in doubts:
            try:
                jobs = self._lookups(self._conn_id(doubt)).jobs(doubt)
            except ArmadaUnavailable as error:
                log.warning("Whether try %d has left a job is not known: %s", doubt.try_number, error)
                continue
            late = [doubt.job._replace(job_id=job_id) for job_id, state in jobs.items() if not state.is_terminal()]
            if late:
                log.warning("Try %d has left job %s, which Armada knows only now", doubt.try_number, late[0].job_id)
            found += late
        return found

    def submit(self, resubmission: int, spent: int = 0) -> JobRecord:
        """
        Submit the job under the identity of this try.

        :param resubmission: how often it was resubmitted within the try.
        :param spent: how many of its resubmissions the try has used up.
        :return: the record of the job.
        :raises ArmadaRefused: when Armada would refuse it again.
        :raises ArmadaUnavailable: when Armada does not answer.
        """
        record = self._send(self._attempt.identity(resubmission), spent)
        created = created_at(record.job_id)
        if created is None or created > self._attempt.started_at - STALE:
            return record
        # Deduplication lasts for days: the DAG run was deleted and made again, or another deployment has the same ids.
        log.warning("Armada took the job for %s, which is older than this try; submitting it anew", record.job_id)
        identity = self._attempt.identity(resubmission)
        return self._send(replace(identity, scope=f"{identity.scope}@{self._attempt.started_at}"), spent)

    def _send(self, identity: JobIdentity, spent: int) -> JobRecord:
        submission = self._submissions(self._target.armada_conn_id)
        intent = replace(self._intent(identity, self._attempt.epoch), spent=spent)
        return submission.send(intent, self._target.build(identity))

    def _intent(self, identity: JobIdentity, epoch: int) -> JobRecord:
        return JobRecord(
            try_number=identity.try_number,
            epoch=epoch,
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
            job=JobRef(self._target.queue, self._target.job_set_id, ""),
            resubmission=identity.resubmission,
            submitted_at=time.time(),
            armada_conn_id=self._target.armada_conn_id,
        )

    def _next_number(self, previous: JobRecord) -> int:
        """Number the submission: a try that Airflow has put off after the end of its job (3.4) goes on counting."""
        return previous.resubmission + 1 if self._is_same_try(previous) else 0

    def _is_same_try(self, record: JobRecord) -> bool:
        return record.try_number == self._attempt.try_number and record.epoch == self._attempt.epoch

    def _previous(self) -> JobRecord | None:
        """
        Give the job of the newest earlier try that had one: the record, unless it is missing or older than that.

        A store that failed for a moment has kept the record of an older try, or none.
        """
        newest = self._attempt.try_number - (0 if self._attempt.reschedules else 1)
        try:
            record = self._journal.read()
        except RecordUnreadable:
            record = None
        if record is not None and record.try_number >= newest:
            return record
        oldest = record.try_number + 1 if record else 1
        for number in range(newest, oldest - 1, -1):
            # Only the newest may be so young that the query service does not know it yet.
            if found := self._search(number, young=record is None and number == newest):
                return found
        return record

    def _search(self, number: int, *, young: bool) -> JobRecord | None:
        lookup = self._lookups(self._target.armada_conn_id)
        for index, guess in enumerate(self._guesses(number)):
            jobs = lookup.young_jobs(guess) if young and not index else lookup.jobs(guess)
            if jobs:
                job_id = self._submissions(self._target.armada_conn_id).keep_one(guess, jobs)
                return replace(guess.with_job_id(job_id), submitted_at=created_at(job_id) or time.time())
        return None

    def _guesses(self, number: int) -> list[JobRecord]:
        """Give what a try would have recorded, its last resubmission first."""
        attempt = self._attempt
        epoch = attempt.epoch if number > attempt.epoch else -1
        return [
            replace(self._intent(attempt.identity(resubmission, number), epoch), submitted_at=0.0)
            for resubmission in range(self._most_resubmissions(number), -1, -1)
        ]

    def _most_resubmissions(self, number: int) -> int:
        """Tell how often a try may have submitted its job again; one that was put off has gone on counting."""
        runs = 1 + (self._attempt.reschedules if number == self._attempt.try_number else 0)
        return (self._policy.resubmissions + 1) * runs - 1

    def _settle(self, previous: JobRecord) -> Submitted | None:
        """Take over the job of an earlier try, or see to it that it does not run beside the new one."""
        if self._is_obsolete(previous):
            self._discard(previous)
            return None
        if self._is_same_try(previous):
            return self._go_on(previous)
        record = previous if previous.end else self._complete(previous)
        state = state_of(previous.end) if previous.end else self._state(record)
        if self._takes(record, state):
            return self._adopt(record)
        if previous.end or not state.is_terminal():
            self._discard(record)
        return None

    def _is_obsolete(self, previous: JobRecord) -> bool:
        """Tell whether nothing that is still to be learnt of a job can make this try take it over."""
        if previous.epoch != self._attempt.epoch:
            return True
        if self._is_same_try(previous):
            return previous.end in ABANDONED
        return self._policy.reattach == NEVER or (previous.end in ABANDONED and not self._policy.may_keep_ends)

    def _takes(self, record: JobRecord, state: JobState) -> bool:
        if not self._policy.may_keep_ends:
            # A job that was lost has ended, and its state is not known.
            return self._policy.takes(state) and (not record.end or state.is_terminal())
        ended = record.end or state.is_terminal()
        return self._policy.takes(state, self._lookups(self._conn_id(record)).reason(record.job_id) if ended else "")

    def _go_on(self, previous: JobRecord) -> Submitted | None:
        """Take over the job of this same try, unless it ended before Airflow put the try off; the store may not say."""
        if previous.end:
            return None
        record = self._complete(previous)
        put_off = self._attempt.reschedules and self._has_failed(record)
        return None if put_off else Submitted(record)

    def _has_failed(self, record: JobRecord) -> bool:
        from airflow_armada.client.typings import JobState

        try:
            state = self._lookups(self._conn_id(record)).state(record.job_id)
        except ArmadaUnavailable as error:
            log.warning("Taking job %s for one that runs: %s", record.job_id, error)
            return False
        return state.is_terminal() and state is not JobState.SUCCEEDED

    def _adopt(self, record: JobRecord) -> Submitted:
        log.info("Taking over Armada job %s of try %d", record.job_id, record.try_number)
        return Submitted(record, adopted=True)

    def _state(self, record: JobRecord) -> JobState:
        """Ask for the state; where it cannot be had, the follower learns it, unless a success is to be told apart."""
        from airflow_armada.client.typings import JobState

        try:
            return self._lookups(self._conn_id(record)).state(record.job_id)
        except ArmadaUnavailable as error:
            if self._policy.needs_state:
                raise
            log.warning("Taking job %s for one that runs: %s", record.job_id, error)
            return JobState.UNKNOWN

    def _complete(self, record: JobRecord) -> JobRecord:
        """Give a record its job id; where only the intent is known, submitting it again finds or makes the job."""
        if record.job_id:
            return record
        lookup, submission = self._lookups(self._conn_id(record)), self._submissions(self._conn_id(record))
        if jobs := lookup.young_jobs(record):
            return self._journal.write(record.with_job_id(submission.keep_one(record, jobs)))
        identity = self._attempt.identity(record.resubmission, record.try_number)
        item = self._target.build(identity)
        item.client_id, item.external_job_uri = record.client_id, record.external_job_uri
        return submission.send(record, item, in_doubt=True)

    def _discard(self, record: JobRecord) -> None:
        """Cancel the job that a user's clear, or the policy, has made obsolete: exactly that one."""
        if record.end and record.end not in ABANDONED:
            return
        lookup, submission = self._lookups(self._conn_id(record)), self._submissions(self._conn_id(record))
        if record.job_id:
            # The trigger of the try before may have been quicker, and nobody notes a success.
            if not lookup.has_ended(record.job_id):
                submission.cancel(record.job, REPLACED)
            return
        for job_id, state in lookup.young_jobs(record).items():
            if not state.is_terminal():
                submission.cancel(record.job._replace(job_id=job_id), REPLACED)

    def _look_again(self, own: Submitted) -> Submitted:
        """Cancel jobs of earlier tries of which nobody knew whether they were submitted."""
        if not own.adopted:
            submission = self._submissions(self._target.armada_conn_id)
            for job in self.late_jobs():
                submission.cancel(job, REPLACED)
        self._doubts = []
        return own

    def _conn_id(self, record: JobRecord) -> str:
        return record.armada_conn_id or self._target.armada_conn_id
