"""What the operator does with its job, from the first attempt to submit it to its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_armada import _metrics
from airflow_armada._compat import AirflowSkipException, AirflowTaskTimeout, event_hold
from airflow_armada.client.job_ref import JobRef
from airflow_armada.exceptions import ArmadaUnavailable, job_error
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.hooks.armada import ArmadaHook, settings_for_task
from airflow_armada.links.armada import JOB_XCOM_KEY, show_link
from airflow_armada.task.arguments.checks import NEVER
from airflow_armada.task.end.cancel import Ending
from airflow_armada.task.end.facts import announce, facts
from airflow_armada.task.end.result import is_gone, result_of
from airflow_armada.task.end.skip import skip_code
from airflow_armada.task.request.attempt import Attempt
from airflow_armada.task.submit.record import JobRecord, Journal
from airflow_armada.wait.job_wait import JobWait, infrastructure_end, result_collector
from airflow_armada.wait.metrics import count_end

if TYPE_CHECKING:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.task.request.target import Target
    from airflow_armada.task.submit.submission import Submission
    from airflow_armada.wait.worker_loop import WorkerLoop

_FIRST_BACK_OFF = 1.0
_MAX_BACK_OFF = 30.0
_AFTER_ALARM = 0.5  # s
_LAST_WORDS = 30.0  # s; what is left of the log is read meanwhile
_DEADLINE_REASONS = {"timed_out": "execution_timeout has passed", "queued_too_long": "queued_timeout has passed"}
_RESUBMIT_REASONS = {"preempted": "was preempted", "evicted": "was evicted", "lease_expired": "lost its lease"}

log = logging.getLogger("airflow.task.operators.airflow_armada")


class JobRun:
    """
    One segment of a task on the worker: it submits, waits or defers, and turns the end into the task's outcome.

    :param operator: the task's operator, with its arguments rendered.
    :param context: Airflow's context.
    """

    def __init__(self, operator: TaskArguments, context: Mapping[str, Any]) -> None:
        self._operator = operator
        self._context = context
        self._begun = time.time()
        self._attempt = Attempt.of(context, operator.retries or 0)
        self._journal = Journal(context)
        self._hook = ArmadaHook(operator.armada_conn_id)
        self._ending = Ending(self._client, self._note_end)
        self._settings: SiteSettings | None = None
        self._wait: JobWait | None = None
        self._follower: WorkerLoop | None = None

    @property
    def job_id(self) -> str:
        """The job as far as it is known, else empty."""
        return self._wait.job_id if self._wait else ""

    def start(self) -> Any:
        """
        Submit the job, or take over that of an earlier try, and see it to its end.

        :return: the facts about the job, or the result that it printed.
        """
        from airflow_armada.task.request.target import make_target, make_wait

        target = make_target(self._operator, self._attempt, self._site())
        begun = time.monotonic()
        with self._client() as client:
            submitted = self._submission(client, target).acquire()
        _metrics.timing(_metrics.SUBMIT, time.monotonic() - begun, queue=target.queue)
        wait = make_wait(self._operator, self._attempt, self._site(), target, submitted.record)
        return self._watch(replace(wait, adopted=submitted.adopted))

    def resume(self, event: Mapping[str, Any]) -> Any:
        """
        Turn the trigger's event into the outcome of the task.

        :param event: from :func:`~airflow_armada.wait.job_wait.make_event`.
        :return: the facts about the job, or the result that it printed, if it succeeded.
        """
        wait = self._take(JobWait.from_dict(event["wait"]))
        if "error" in event:
            self._ending.give_up(wait, leave=self._next_try_adopts())
            raise ArmadaUnavailable(f"Armada job {wait.job_id} cannot be followed any further: {event['error']}")
        outcome = Outcome.from_dict(event["outcome"])
        count_end(wait, outcome)
        collector = result_collector(wait, event.get("result"))
        outcome, rest = self._rest_of_log(wait, outcome, event, collector)
        last_lines = [*(event.get("last_lines") or ()), *rest]
        if outcome.status == "queued_too_long" or (outcome.status == "timed_out" and wait.cancel_on_kill):
            self._ending.cancel(wait, _DEADLINE_REASONS[outcome.status])
        if outcome.status != "succeeded":
            self._note_end(wait, outcome.status)
        elif collector is None:
            return facts(wait, outcome)
        elif not is_gone(wait, outcome, collector):
            return result_of(wait, outcome, collector, lambda end: self._note_end(wait, end))
        if reason := self._reason_to_resubmit(wait, outcome):
            return self._resubmit(wait, reason, event.get("records") or ())
        if (code := skip_code(self._operator.skip_on_exit_code, outcome)) is not None:
            raise AirflowSkipException(f"Armada job {wait.job_id} ended with exit code {code}, which skips the task")
        if collector is not None and (error := collector.remote_error()):
            outcome = replace(outcome, reason=f"{error.type}: {error.message}")
        raise job_error(outcome, job_url=wait.job_url, last_lines=last_lines)

    def kill(self) -> None:
        """
        End the job because the task is killed; called from Airflow's signal handler at any moment.

        Whatever runs then is told to stop. A job that is not submitted yet never is; one whose submission is under way
        is cancelled as soon as that returns.
        """
        self._ending.kill(self._wait)
        if self._follower is not None:
            self._follower.stop()

    def abandon(self, *, timed_out: bool) -> None:
        """
        Decide about the job of a deferral that Airflow itself has ended.

        :param timed_out: whether the deferral timed out, which ends the job as well.
        """
        ti = self._context["ti"]
        job = ti.xcom_pull(key=JOB_XCOM_KEY, task_ids=ti.task_id, map_indexes=ti.map_index)
        if isinstance(job, Mapping):
            conn_id = self._operator.armada_conn_id
            wait = JobWait(conn_id, JobRef(job["queue"], job["job_set_id"], job["job_id"]), time.time())
            self._ending.give_up(wait, leave=not timed_out and self._next_try_adopts())

    def _watch(self, wait: JobWait) -> Any:
        self._take(wait)
        # Before Airflow is told of the job: a task that it has given up may tell it nothing.
        self._stop_if_killed(wait)
        announce(self._context["ti"], wait)
        show_link(self._operator, self._context["ti"], at_once=not self._defers)
        self._stop_if_killed(wait)
        if not self._operator.wait_for_completion:
            return facts(wait, None)
        if self._defers:
            self._defer(wait)
        return self.resume(self._follow(wait))

    def _stop_if_killed(self, wait: JobWait) -> None:
        if self._ending.killed:
            self._ending.stop(wait)

    @property
    def _defers(self) -> bool:
        return bool(self._operator.deferrable and self._operator.wait_for_completion)

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
        self._operator.job_url = wait.job_url
        return wait

    def _defer(self, wait: JobWait) -> None:
        from airflow_armada.task.end.in_trigger import ends_in_trigger
        from airflow_armada.triggers.armada import ArmadaJobTrigger

        deferred = replace(
            wait,
            not_before=time.time() + event_hold(self._attempt.startup),
            end_in_trigger=ends_in_trigger(self._operator),
        )
        self._operator.defer(trigger=ArmadaJobTrigger(**deferred.to_dict()), method_name="execute_complete")

    def _follow(self, wait: JobWait) -> dict[str, Any]:
        """
        Wait on the worker, the way a trigger does.

        Airflow's own alarm may interrupt anything, also the cancelling of a job whose time is up. So the deadline here
        is a moment after it, and the alarm comes while nothing but the follower is at work.
        """
        from airflow_armada.wait.worker_loop import WorkerLoop, follow_to_event

        self._follower = WorkerLoop()
        settings = self._site()
        if limit := self._operator.execution_timeout:
            wait = replace(wait, deadline=self._begun + limit.total_seconds() + _AFTER_ALARM)
        try:
            event: dict[str, Any] = self._follower.run(lambda: follow_to_event(wait, settings), last_words=_LAST_WORDS)
        except AirflowTaskTimeout:
            self._note_end(wait, "killed")
            if wait.cancel_on_kill:
                # Here, and not in the on_kill that follows: nobody is about to end this process, so there is time.
                self._ending.cancel(wait, _DEADLINE_REASONS["timed_out"])
            raise
        except (asyncio.CancelledError, Exception):
            self._stop_if_killed(wait)
            raise
        return event

    def _submission(self, client: ArmadaClient, target: Target) -> Submission:
        from airflow_armada.task.submit.submission import Submission

        return Submission(
            client,
            self._attempt,
            self._journal,
            queue=target.queue,
            job_set_id=target.job_set_id,
            build=lambda identity: self._operator.build_request(identity).item,
            reattach=self._operator.reattach,
            resubmissions=int(self._operator.preemption_retries),
            killed=lambda: self._ending.killed,
        )

    def _reason_to_resubmit(self, wait: JobWait, outcome: Outcome) -> str:
        end = infrastructure_end(outcome)
        if end in wait.resubmit_on:
            return _RESUBMIT_REASONS[end]
        if outcome.status == "succeeded":
            return "of the try before has succeeded, and its result is gone with its pod"
        if wait.adopted and outcome.status != "lost" and _time(outcome.finished_at) < self._attempt.started_at:
            return f"of the try before had already {outcome.status}"
        return ""

    def _resubmit(self, wait: JobWait, reason: str, records: Any) -> Any:
        """Submit the job again within the try; the records of the first deferral are saved from the second."""
        from airflow_armada.task.request.target import make_target, make_wait

        number, budget = wait.resubmission + 1, int(self._operator.preemption_retries)
        count = f" ({number} of {budget})" if number <= budget else ""
        log.warning("Armada job %s %s; submitting it again%s", wait.job_id, reason, count)
        if records:
            from airflow_armada.wait.task_log import write_again

            write_again(records)
        self._ending.pause(min(_FIRST_BACK_OFF * 2 ** (number - 1), _MAX_BACK_OFF))
        self._stop_if_killed(wait)
        target = make_target(self._operator, self._attempt, self._site())
        with self._client() as client:
            record = self._submission(client, target).submit(number)
        again = make_wait(self._operator, self._attempt, self._site(), target, record)
        return self._watch(replace(again, deadline=wait.deadline))

    def _next_try_adopts(self) -> bool:
        """Tell whether there will be another try, and whether it takes over what this one leaves."""
        ti = self._context["ti"]
        return bool(ti.try_number <= (ti.max_tries or 0) and self._operator.reattach != NEVER)

    def _rest_of_log(
        self, wait: JobWait, outcome: Outcome, event: Mapping[str, Any], collector: ResultCollector | None
    ) -> tuple[Outcome, list[str]]:
        """Show what the trigger left out; a log that cannot be read fails no task but one that needs its result."""
        if outcome.logs_complete or not (wait.get_logs or collector):
            return outcome, []
        from airflow_armada.wait.worker_loop import WorkerLoop, show_rest_of_log

        settings, shown_until = self._site(), event.get("shown_until") or {}
        self._follower = WorkerLoop()
        try:
            read: tuple[Outcome, list[str]] = self._follower.run(
                lambda: show_rest_of_log(wait, settings, outcome, shown_until, collector)
            )
        except asyncio.CancelledError:
            self._ending.stop(wait)
            raise
        except Exception as error:
            log.warning("Cannot show the rest of the job's log: %s", error)
            return outcome, []
        return read

    def _site(self) -> SiteSettings:
        if self._settings is None:
            self._settings = settings_for_task(self._hook)
        return self._settings

    @contextmanager
    def _client(self) -> Iterator[ArmadaClient]:
        """Open a client with the settings found at first: a signal handler must not ask Airflow for them again."""
        from airflow_armada.client.channel import open_channel
        from airflow_armada.client.client import ArmadaClient

        settings = self._site()
        with open_channel(settings) as channel:
            yield ArmadaClient(channel, call_timeout=settings.call_timeout, command_timeout=settings.command_timeout)


def _time(text: str) -> float:
    """Read an RFC 3339 time; an unknown one is later than any."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return float("inf")
