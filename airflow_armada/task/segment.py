"""What the operator does with its job, from the first attempt to submit it to its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_armada import _metrics
from airflow_armada._compat import (
    AirflowException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
    event_hold,
)
from airflow_armada.client.timestamps import moment
from airflow_armada.exceptions import ArmadaJobKept, ArmadaUnavailable, job_error
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.hooks.armada import ArmadaHook, settings_for_task
from airflow_armada.links.armada import JOB_XCOM_KEY
from airflow_armada.task.arguments.checks import ALWAYS
from airflow_armada.task.end.facts import wait_of
from airflow_armada.task.end.next_try import has_next_try, next_try_adopts
from airflow_armada.task.end.outputs import check_outputs
from airflow_armada.task.end.publisher import Publisher
from airflow_armada.task.end.skip import skip_code
from airflow_armada.task.end.unfinished import UnfinishedJob
from airflow_armada.task.kill import Kill
from airflow_armada.task.submit.policy import Policy, state_of
from airflow_armada.task.submit.record import JobRecord, Journal
from airflow_armada.tries.attempt import Attempt
from airflow_armada.wait.cancel import OVERDUE
from airflow_armada.wait.event import infrastructure_end
from airflow_armada.wait.following import result_collector
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.metrics import count_end
from airflow_armada.wait.patience import BEFORE_RESUBMISSIONS
from airflow_armada.wait.result import is_gone, result_of, without_traceback

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.task.request.target import Target
    from airflow_armada.task.submit.submitted import Submitted
    from airflow_armada.task.submit.takeover import Takeover
    from airflow_armada.wait.worker_loop import WorkerLoop

_AFTER_ALARM = 0.5  # s
_LAST_WORDS = 30.0  # s; what is left of the log is read meanwhile
_MAX_ERRORS = 3
_RESUBMIT_REASONS = {"preempted": "was preempted", "evicted": "was evicted", "lease_expired": "lost its lease"}

log = logging.getLogger("airflow.task.operators.airflow_armada")


class Segment:
    """
    What one process of a worker does for a task: it submits, waits or defers, and turns the end into the outcome.

    :param arguments: the task's arguments, rendered.
    :param context: Airflow's context.
    :param kill: tells whether the task was killed.
    """

    def __init__(self, arguments: TaskArguments, context: Mapping[str, Any], kill: Kill) -> None:
        self._arguments = arguments
        self._context = context
        self._begun = time.time()
        self._attempt = Attempt.of(context, arguments.retries or 0)
        self._journal = Journal(context)
        self._kill = kill
        self._publisher = Publisher(arguments, context)
        self._unfinished = UnfinishedJob(kill, self._note_end, self._next_try_adopts, arguments)
        self._wait: JobWait | None = None
        self._follower: WorkerLoop | None = None
        kill.react = self._on_kill

    @property
    def job_id(self) -> str:
        """The job as far as it is known, else empty."""
        return self._wait.job_id if self._wait else ""

    def start(self) -> Any:
        """
        Submit the job, or take over that of an earlier try, and see it to its end.

        :return: the facts about the job, or the result that it printed.
        """
        from airflow_armada.task.request.target import make_target

        target = make_target(self._arguments, self._attempt.identity(), self._settings(self._arguments.armada_conn_id))
        begun = time.monotonic()
        with self._answering():
            wait = self._submit(target, lambda takeover: takeover.acquire())
            _metrics.timing(_metrics.SUBMIT, time.monotonic() - begun, queue=target.queue)
            return self._watch(wait)

    def resume(self, event: Mapping[str, Any]) -> Any:
        """
        Turn the trigger's event into the outcome of the task.

        :param event: from :func:`~airflow_armada.wait.event.make_event`.
        :return: the facts about the job, or the result that it printed, if it succeeded.
        """
        wait = self._take(JobWait.from_dict(event["wait"]))
        with self._answering():
            if "error" in event:
                self._follow_again(wait, str(event["error"]))
                raise ArmadaUnavailable(f"Armada job {wait.job_id} cannot be followed any further: {event['error']}")
            return self._conclude(wait, event)

    def abandon(self, error: BaseException, *, timed_out: bool) -> None:
        """
        Decide about the job of a deferral that Airflow itself has ended.

        :param error: what Airflow says of it.
        :param timed_out: whether the deferral timed out, which ends the job as well.
        """
        ti = self._context["ti"]
        job = ti.xcom_pull(key=JOB_XCOM_KEY, task_ids=ti.task_id, map_indexes=ti.map_index)
        if isinstance(job, Mapping):
            self._take(wait_of(job, self._arguments.armada_conn_id))
            if timed_out:
                self._unfinished.end("the deferral has timed out", "timed_out")
            else:
                self._unfinished.leave(error)

    def _conclude(self, wait: JobWait, event: Mapping[str, Any]) -> Any:
        outcome = Outcome.from_dict(event["outcome"])
        count_end(wait, outcome)
        self._end_at_deadline(wait, outcome, cancelled=bool(event.get("cancelled")))
        collector = result_collector(wait, event.get("result"))
        outcome, rest = self._rest_of_log(wait, outcome, event, collector)
        self._publisher.ended(wait, outcome)
        last_lines = [*(event.get("last_lines") or ()), *rest]
        gone = is_gone(wait, outcome, collector) and self._arguments.reattach != ALWAYS
        if outcome.status == "succeeded" and not gone:
            return self._value(wait, outcome, collector)
        if reason := self._reason_to_resubmit(wait, outcome):
            return self._resubmit(wait, outcome, reason, event.get("records") or ())
        self._publisher.last(wait, outcome)
        if (code := skip_code(self._arguments.skip_on_exit_code, outcome)) is not None:
            raise AirflowSkipException(f"Armada job {wait.job_id} ended with exit code {code}, which skips the task")
        if collector is not None and (error := collector.remote_error()):
            outcome = replace(outcome, reason=f"{error.type}: {error.message}")
            last_lines = without_traceback(last_lines, error.traceback)
        ended = job_error(outcome, job_url=wait.job_url, last_lines=last_lines, memory_limits=wait.memory_limits)
        raise ArmadaJobKept(str(ended), ended.facts) if self._is_kept(wait, outcome) else ended

    def _value(self, wait: JobWait, outcome: Outcome, collector: ResultCollector | None) -> Any:
        """Give the return value of a task whose job has succeeded."""
        self._publisher.last(wait, outcome)
        if collector is None:
            return self._publisher.facts(wait, outcome)
        value = result_of(wait, outcome, collector, lambda end: self._note_end(wait, end))
        if self._arguments.multiple_outputs:
            check_outputs(wait, value, lambda end: self._note_end(wait, end))
        return value

    def _follow_again(self, wait: JobWait, error: str) -> None:
        """Defer once more after an error of a trigger, which says nothing about the job; but not for ever."""
        if self._defers and wait.errors < _MAX_ERRORS:
            log.warning("Armada job %s could not be followed, trying it again: %s", wait.job_id, error)
            self._defer(replace(wait, errors=wait.errors + 1))

    def _end_at_deadline(self, wait: JobWait, outcome: Outcome, *, cancelled: bool) -> None:
        """
        Cancel a job whose time is up, before anything else: Airflow arms ``execution_timeout`` anew for each segment.

        A trigger mostly has done it. A job that is spared leaves no end behind: a retry takes it over.
        """
        if cancelled:
            self._note_end(wait, outcome.status)
        elif outcome.status == "queued_too_long":
            self._unfinished.end(OVERDUE[outcome.status], outcome.status)
        elif outcome.status == "timed_out":
            self._unfinished.leave(AirflowTaskTimeout())
        elif outcome.status != "succeeded":
            self._note_end(wait, outcome.status)
        self._unfinished.over()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Answer for the job on every way out but the deferral: the trigger does then."""
        try:
            yield
        except TaskDeferred:
            raise
        except BaseException as error:
            self._unfinished.leave(error)
            raise
        finally:
            self._publisher.close()

    def _on_kill(self) -> None:
        """
        End the job because the task is killed; called from Airflow's signal handler at any moment.

        Whatever runs then is told to stop. A job that is not submitted yet never is; one whose submission is under way
        is cancelled as soon as that returns.
        """
        self._unfinished.on_kill()
        if self._follower is not None:
            self._follower.stop()

    def _watch(self, wait: JobWait) -> Any:
        # Before Airflow is told of the job: a task that it has given up may tell it nothing.
        self._stop_if_killed(wait)
        waits_here = self._arguments.wait_for_completion and not self._defers
        self._publisher.submitted(wait, waits_here=waits_here)
        self._stop_if_killed(wait)
        if not self._arguments.wait_for_completion:
            self._unfinished.over()
            return self._publisher.facts(wait, None)
        if self._defers:
            self._defer(wait)
        return self._conclude(wait, self._follow(wait))

    def _stop_if_killed(self, wait: JobWait) -> None:
        if self._kill.came:
            raise AirflowException(f"The task was killed while Armada job {wait.job_id} was running")

    @property
    def _defers(self) -> bool:
        return bool(self._arguments.deferrable and self._arguments.wait_for_completion)

    def _note_end(self, wait: JobWait, end: str) -> None:
        """
        Note how a job ended, so that a retry need not ask Armada's query service, which lags behind.

        Written without reading: Airflow takes it from the newest try alone, whose last job this is. Whose try a job
        was that was taken over is not known here, and with its id at hand makes no difference. A success is not noted:
        after it there is a retry only if this worker dies, and then Armada tells.
        """
        self._journal.write(JobRecord.ended(self._attempt, wait, end))

    def _take(self, wait: JobWait) -> JobWait:
        self._wait = wait
        self._arguments.job_url = wait.job_url
        self._unfinished.take(wait)
        return wait

    def _defer(self, wait: JobWait) -> None:
        from airflow_armada.task.end.in_trigger import ends_in_trigger
        from airflow_armada.triggers.armada import ArmadaJobTrigger

        deferred = replace(
            wait,
            not_before=time.time() + event_hold(self._attempt.startup),
            end_in_trigger=ends_in_trigger(self._arguments),
        )
        self._arguments.defer(trigger=ArmadaJobTrigger(**deferred.to_dict()), method_name="execute_complete")

    def _follow(self, wait: JobWait) -> dict[str, Any]:
        """
        Wait on the worker, the way a trigger does.

        Airflow's own alarm may interrupt anything. So the deadline here is a moment after it, and the alarm comes while
        nothing but the follower is at work.
        """
        from airflow_armada.wait.worker_loop import WorkerLoop, follow_to_event

        self._follower = WorkerLoop(lambda: self._kill.came)
        settings, source = self._settings(wait.armada_conn_id), ArmadaHook(wait.armada_conn_id).source()
        if limit := self._arguments.execution_timeout:
            wait = replace(wait, deadline=self._begun + limit.total_seconds() + _AFTER_ALARM)
        try:
            event: dict[str, Any] = self._follower.run(
                lambda: follow_to_event(wait, settings, source, self._publisher.witness), last_words=_LAST_WORDS
            )
        except asyncio.CancelledError:
            self._stop_if_killed(wait)
            raise
        return event

    def _submit(self, target: Target, how: Callable[[Takeover], Submitted]) -> JobWait:
        """Get a job, and answer for it; where the task ends in the middle of it, for what may have been submitted."""
        from airflow_armada.task.submit.sites import Sites
        from airflow_armada.task.submit.takeover import Takeover

        with Sites(self._journal, self._kill) as sites:
            takeover = Takeover(self._attempt, self._journal, target, self._policy, sites.lookup, sites.submission)
            try:
                submitted = how(takeover)
                return self._take(self._wait_for(submitted, target))
            except BaseException as error:
                self._unfinished.leave_submissions(takeover, sites, error)
                raise

    def _wait_for(self, submitted: Submitted, target: Target) -> JobWait:
        from airflow_armada.task.submit.submitted import make_wait

        conn_id = submitted.record.armada_conn_id or self._arguments.armada_conn_id
        return make_wait(self._arguments, self._attempt, self._settings(conn_id), target, submitted)

    def _reason_to_resubmit(self, wait: JobWait, outcome: Outcome) -> str:
        end = infrastructure_end(outcome)
        if end in wait.resubmit_on:
            if wait.deadline is None or time.time() + BEFORE_RESUBMISSIONS.pause(wait.spent) < wait.deadline:
                return _RESUBMIT_REASONS[end]
            log.warning("execution_timeout leaves no time to submit Armada job %s again", wait.job_id)
        if outcome.status == "succeeded":
            return "of the try before has succeeded, and its result is gone with its pod"
        if self._had_ended_before(wait, outcome):
            return f"of the try before had already {outcome.status}"
        return ""

    @property
    def _policy(self) -> Policy:
        return Policy(self._arguments.reattach, int(self._arguments.preemption_retries))

    def _is_kept(self, wait: JobWait, outcome: Outcome) -> bool:
        """Tell whether a retry would take over the job that has ended badly, and end the same way."""
        if not self._policy.may_keep_ends or not has_next_try(self._context):
            return False
        spared = outcome.status == "timed_out" and not wait.cancel_on_kill
        return not spared and self._policy.takes(state_of(outcome.status), outcome.reason)

    def _had_ended_before(self, wait: JobWait, outcome: Outcome) -> bool:
        """Tell whether a job that was taken over had ended before this try began."""
        if self._policy.may_keep_ends:
            return False  # and that is why it was taken over
        end = moment(outcome.finished_at)
        before = end is not None and end.timestamp() < self._attempt.started_at
        return wait.adopted and outcome.status != "lost" and before

    def _resubmit(self, wait: JobWait, outcome: Outcome, reason: str, records: Any) -> Any:
        """Submit the job again within the try; the records of the first deferral are saved from the second."""
        from airflow_armada.task.request.target import make_target
        from airflow_armada.task.submit.submitted import Submitted

        # What has become of an earlier try's job is none of this one's resubmissions.
        number = 0 if wait.adopted else wait.resubmission + 1
        free = outcome.status == "succeeded" or self._had_ended_before(wait, outcome)
        spent = wait.spent if free else wait.spent + 1
        count = "" if free else f" ({spent} of {int(self._arguments.preemption_retries)})"
        log.warning("Armada job %s %s; submitting it again%s", wait.job_id, reason, count)
        if records:
            from airflow_armada.wait.task_log import write_again

            write_again(records)
        self._kill.wait(BEFORE_RESUBMISSIONS.pause(max(spent - 1, 0)))
        self._stop_if_killed(wait)
        identity = self._attempt.identity(number)
        target = make_target(self._arguments, identity, self._settings(self._arguments.armada_conn_id))
        again = self._submit(target, lambda takeover: Submitted(takeover.submit(number, spent)))
        return self._watch(self._take(replace(again, deadline=wait.deadline)))

    def _next_try_adopts(self, error: BaseException) -> bool:
        """Tell whether another try takes over what this one leaves when an error ends it."""
        return self._journal.given_up or next_try_adopts(self._arguments, self._context, error)

    def _rest_of_log(
        self, wait: JobWait, outcome: Outcome, event: Mapping[str, Any], collector: ResultCollector | None
    ) -> tuple[Outcome, list[str]]:
        """Show what the trigger left out; a log that cannot be read fails no task but one that needs its result."""
        if outcome.logs_complete or not (wait.get_logs or collector):
            return outcome, []
        from airflow_armada.wait.worker_loop import WorkerLoop, show_rest_of_log

        self._follower = WorkerLoop(lambda: self._kill.came)
        shown_until = event.get("shown_until") or {}
        try:
            settings = self._settings(wait.armada_conn_id)
            read: tuple[Outcome, list[str]] = self._follower.run(
                lambda: show_rest_of_log(
                    wait, settings, outcome, shown_until, collector, witness=self._publisher.witness
                )
            )
        except asyncio.CancelledError:
            self._stop_if_killed(wait)
            raise
        except AirflowTaskTimeout:
            if outcome.status != "timed_out":
                raise
            return outcome, []  # it is over in any case, and how is known better already
        except Exception as error:
            log.warning("Cannot show the rest of the job's log: %s", error)
            return outcome, []
        return read

    def _settings(self, conn_id: str) -> SiteSettings:
        return settings_for_task(ArmadaHook(conn_id))
