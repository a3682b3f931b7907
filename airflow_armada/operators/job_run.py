"""What the operator does with its job, from the first attempt to submit it to its end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowException, AirflowTaskTimeout, event_hold
from airflow_armada.exceptions import ArmadaRefused, ArmadaResultError, ArmadaUnavailable, job_error
from airflow_armada.follow.outcome import Outcome
from airflow_armada.hooks.armada import ArmadaHook, settings_for_task
from airflow_armada.jobs.identity import default_job_set_id
from airflow_armada.links.armada import JOB_XCOM_KEY, LookoutLink
from airflow_armada.operators.arguments import seconds
from airflow_armada.operators.attempt import Attempt, JobRecord, Journal
from airflow_armada.operators.submission import NEVER, Submission
from airflow_armada.triggers.wait import JobWait, infrastructure_end, result_collector

if TYPE_CHECKING:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.jobs.result import ResultCollector
    from airflow_armada.operators.armada import ArmadaOperator
    from airflow_armada.operators.worker import WorkerLoop

_KILL_TIMEOUT = 3.0  # s; Airflow kills the process 5 s after SIGTERM
_FIRST_BACK_OFF = 1.0
_MAX_BACK_OFF = 30.0
_DEADLINE_REASONS = {"timed_out": "execution_timeout has passed", "queued_too_long": "queued_timeout has passed"}

log = logging.getLogger("airflow.task.operators.airflow_armada")


@dataclass(frozen=True)
class _Target:
    """Where a job goes, and what its log needs."""

    queue: str
    job_set_id: str
    namespace: str
    containers: tuple[str, ...]


class JobRun:
    """
    One segment of a task on the worker: it submits, waits or defers, and turns the end into the task's outcome.

    :param operator: the task's operator, with its arguments rendered.
    :param context: Airflow's context.
    """

    def __init__(self, operator: ArmadaOperator, context: Mapping[str, Any]) -> None:
        self._operator = operator
        self._context = context
        self._attempt = Attempt.of(context, operator.retries or 0)
        self._journal = Journal(context)
        self._hook = ArmadaHook(operator.armada_conn_id)
        self._settings: SiteSettings | None = None
        self._wait: JobWait | None = None
        self._follower: WorkerLoop | None = None
        self._killed = threading.Event()
        self._cancelled = False

    # -- from execute to the end -------------------------------------------------------------------------------------

    def start(self) -> Any:
        """
        Submit the job, or take over that of an earlier try, and see it to its end.

        :return: the facts about the job.
        """
        target = self._target()
        with self._client() as client:
            submitted = self._submission(client, target).acquire()
        return self._watch(self._wait_for(submitted.record, target, adopted=submitted.adopted))

    def resume(self, event: Mapping[str, Any]) -> Any:
        """
        Turn the trigger's event into the outcome of the task.

        :param event: from :func:`~airflow_armada.triggers.wait.make_event`.
        :return: the facts about the job, or the result that it printed, if it succeeded.
        """
        wait = self._wait = JobWait.from_dict(event["wait"])
        if "error" in event:
            self._give_up(wait)
            raise ArmadaUnavailable(f"Armada job {wait.job_id} cannot be followed any further: {event['error']}")
        outcome = Outcome.from_dict(event["outcome"])
        last_lines = list(event.get("last_lines") or ())
        collector = result_collector(wait, event.get("result"))
        if (wait.get_logs or collector) and not outcome.logs_complete:
            last_lines += self._rest_of_log(wait, outcome, event.get("shown_until") or {}, collector)
        if outcome.status == "queued_too_long" or (outcome.status == "timed_out" and wait.cancel_on_kill):
            self._cancel(wait, _DEADLINE_REASONS[outcome.status])
        self._journal.write_end(wait.job_id, outcome.status)
        if outcome.status == "succeeded":
            return self._facts(wait, outcome) if collector is None else self._result(wait, collector)
        if reason := self._reason_to_resubmit(wait, outcome):
            return self._resubmit(wait, reason, event.get("records") or ())
        if collector is not None and (error := collector.remote_error()):
            outcome = replace(outcome, reason=f"{error.type}: {error.message}")
        raise job_error(outcome, job_url=self._url(wait), last_lines=last_lines)

    def _watch(self, wait: JobWait) -> Any:
        self._wait = wait
        self._announce(wait)
        if self._killed.is_set():
            self._stop_killed(wait)
        if not self._operator.wait_for_completion:
            return self._facts(wait, None)
        if self._operator.deferrable:
            self._defer(wait)
        return self.resume(self._follow(wait))

    def _defer(self, wait: JobWait) -> None:
        from airflow_armada.triggers.armada import ArmadaJobTrigger

        self._operator.defer(trigger=ArmadaJobTrigger(**wait.to_dict()), method_name="execute_complete")

    def _follow(self, wait: JobWait) -> dict[str, Any]:
        """Wait on the worker, the way a trigger does."""
        from airflow_armada.operators.worker import WorkerLoop, follow_to_event

        self._follower = WorkerLoop()
        settings = self._site()
        try:
            event: dict[str, Any] = self._follower.run(lambda: follow_to_event(wait, settings))
        except AirflowTaskTimeout:
            self._journal.write_end(wait.job_id, "killed")
            raise
        except (asyncio.CancelledError, Exception):
            if self._killed.is_set():
                self._stop_killed(wait)
            raise
        return event

    # -- submitting --------------------------------------------------------------------------------------------------

    def _target(self) -> _Target:
        """Build the job once for what its request says about itself; a job that is invalid fails here, with no call."""
        operator, attempt = self._operator, self._attempt
        from airflow_armada.jobs.build import main_pod_spec

        request = operator.build_request(attempt.identity())
        for note in request.notes:
            log.info("%s", note)
        job_set_id = operator.job_set_id or request.job_set_id or default_job_set_id(attempt.dag_id, attempt.run_id)
        queue = operator.armada_queue or request.queue
        self._check(request.item, queue, job_set_id)
        containers = tuple(container.name for container in main_pod_spec(request.item).containers)
        return _Target(queue, job_set_id, request.item.namespace, containers)

    def _check(self, item: Any, queue: str, job_set_id: str) -> None:
        from airflow_armada.jobs.validation import check

        try:
            check(item, queue, job_set_id)
        except ValueError as error:
            raise ArmadaRefused(str(error)) from None

    def _submission(self, client: ArmadaClient, target: _Target) -> Submission:
        return Submission(
            client,
            self._attempt,
            self._journal,
            queue=target.queue,
            job_set_id=target.job_set_id,
            build=lambda identity: self._operator.build_request(identity).item,
            reattach=self._operator.reattach,
            resubmissions=int(self._operator.preemption_retries),
        )

    def _wait_for(
        self, record: JobRecord, target: _Target, *, adopted: bool = False, deadline: float | None = None
    ) -> JobWait:
        operator = self._operator
        queued_timeout = seconds(operator.queued_timeout)
        now = time.time()
        submitted_at = record.submitted_at or now
        left = record.resubmission < int(operator.preemption_retries)
        return JobWait(
            armada_conn_id=operator.armada_conn_id,
            queue=record.queue,
            job_set_id=record.job_set_id,
            job_id=record.job_id,
            submitted_at=submitted_at,
            namespace=target.namespace,
            containers=target.containers,
            get_logs=operator.get_logs,
            get_result=operator.get_result and operator.wait_for_completion,
            cancel_on_kill=operator.cancel_on_kill,
            deadline=deadline or self._attempt.deadline(operator.execution_timeout),
            queued_deadline=submitted_at + queued_timeout if queued_timeout else None,
            resubmission=record.resubmission,
            resubmit_on=tuple(operator.resubmit_on) if left else (),
            adopted=adopted,
            not_before=now + event_hold() if operator.deferrable else 0.0,
        )

    # -- submitting again --------------------------------------------------------------------------------------------

    def _reason_to_resubmit(self, wait: JobWait, outcome: Outcome) -> str:
        end = infrastructure_end(outcome)
        if end and end in wait.resubmit_on:
            return f"was {end.replace('_', ' ')}" if end != "lease_expired" else "lost its lease"
        if wait.adopted and outcome.status != "lost" and _time(outcome.finished_at) < self._attempt.started_at:
            return f"of the try before had already {outcome.status}"
        return ""

    def _resubmit(self, wait: JobWait, reason: str, records: Any) -> Any:
        """Submit the job again within the try; the records of the first deferral are saved from the second."""
        number = wait.resubmission + 1
        log.warning("Armada job %s %s; submitting it again (%d of %s)", wait.job_id, reason, number, self._budget)
        if records:
            from airflow_armada.triggers.reporter import write_again

            write_again(records)
        self._killed.wait(min(_FIRST_BACK_OFF * 2 ** (number - 1), _MAX_BACK_OFF))
        if self._killed.is_set():
            self._stop_killed(wait)
        target = self._target()
        with self._client() as client:
            record = self._submission(client, target).submit(number)
        return self._watch(self._wait_for(record, target, deadline=wait.deadline))

    @property
    def _budget(self) -> int:
        return int(self._operator.preemption_retries)

    # -- ending it ---------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """
        End the job because the task is killed; called from Airflow's signal handler at any moment.

        Whatever runs then is told to stop. A job that is not known yet is cancelled as soon as its submission returns.
        """
        self._killed.set()
        wait = self._wait
        if wait is not None and not self._cancelled:
            self._cancel_for_kill(wait)
        if self._follower is not None:
            self._follower.stop()

    def abandon(self, *, timed_out: bool) -> None:
        """
        Decide about the job of a deferral that Airflow itself has ended.

        A retry that will take the job over finds it running; otherwise nobody would ever look after it again.

        :param timed_out: whether the deferral timed out, which ends the job as well.
        """
        ti = self._context["ti"]
        job = ti.xcom_pull(key=JOB_XCOM_KEY, task_ids=ti.task_id, map_indexes=ti.map_index)
        if isinstance(job, Mapping):
            conn_id = self._operator.armada_conn_id
            wait = JobWait(conn_id, job["queue"], job["job_set_id"], job["job_id"], time.time())
            self._give_up(wait, leave=not timed_out)

    def _give_up(self, wait: JobWait, *, leave: bool = True) -> None:
        """Leave the job to the next try, if there will be one that takes it over; otherwise cancel it."""
        ti = self._context["ti"]
        if leave and ti.try_number <= (ti.max_tries or 0) and self._operator.reattach != NEVER:
            log.warning("Armada job %s is left to the next try", wait.job_id)
            return
        self._cancel(wait, "the task stopped waiting for the job")
        self._journal.write_end(wait.job_id, "timed_out")

    def _stop_killed(self, wait: JobWait) -> None:
        """End the task after it was killed; the record keeps a retry from taking over what was cancelled."""
        if self._operator.cancel_on_kill:
            if not self._cancelled:
                self._cancel_for_kill(wait)
            self._journal.write_end(wait.job_id, "killed")
        raise AirflowException(f"The task was killed while Armada job {wait.job_id} was running")

    def _cancel_for_kill(self, wait: JobWait) -> None:
        if not self._operator.cancel_on_kill:
            log.info("The task was killed; Armada job %s keeps running (cancel_on_kill=False)", wait.job_id)
            return
        # In a thread: Airflow kills this process soon, and a server that does not answer must not use up that time.
        worker = threading.Thread(target=self._cancel, args=(wait, "Airflow task was killed"), daemon=True)
        worker.start()
        worker.join(_KILL_TIMEOUT)

    def _cancel(self, wait: JobWait, reason: str) -> None:
        """Cancel exactly this job, once."""
        if self._cancelled:
            return
        self._cancelled = True
        try:
            with self._client() as client:
                client.cancel_jobs(wait.queue, wait.job_set_id, job_id=wait.job_id, reason=reason)
        except Exception as error:
            log.error("Cannot cancel Armada job %s: %s", wait.job_id, error)
        else:
            log.info("Cancelled Armada job %s: %s", wait.job_id, reason)

    # -- what others see ---------------------------------------------------------------------------------------------

    def _announce(self, wait: JobWait) -> None:
        """Show the job before anything waits for it: in the log, as an XCom and as a link."""
        url = self._operator.job_url = self._url(wait)
        what = "Following" if wait.adopted else "Submitted"
        where = f"queue {wait.queue}, job set {wait.job_set_id}"
        log.info("%s Armada job %s (%s)%s", what, wait.job_id, where, f": {url}" if url else "")
        ti = self._context["ti"]
        ids = {"job_id": wait.job_id, "queue": wait.queue, "job_set_id": wait.job_set_id}
        ti.xcom_push(key=JOB_XCOM_KEY, value={**ids, "lookout_url": url, "resubmission": wait.resubmission})
        if url:
            ti.xcom_push(key=LookoutLink().xcom_key, value=url)

    def _facts(self, wait: JobWait, outcome: Outcome | None) -> dict[str, Any]:
        """Give the task's return value."""
        facts: dict[str, Any] = {
            "job_id": wait.job_id,
            "queue": wait.queue,
            "job_set_id": wait.job_set_id,
            "lookout_url": self._url(wait),
            "resubmissions": wait.resubmission,
        }
        if outcome is not None:
            known = outcome.to_dict()
            facts |= {name: known.get(name, _EMPTY.get(name, "")) for name in _FACTS}
        return facts

    def _result(self, wait: JobWait, collector: ResultCollector) -> Any:
        """Give the value that the job printed; without it, a retry must not take over the job that lacks it."""
        from airflow_armada.jobs.result import ResultError

        try:
            return collector.value()
        except ResultError as error:
            self._journal.write_end(wait.job_id, "failed")
            raise ArmadaResultError(f"Armada job {wait.job_id} succeeded, but {error}") from None

    def _url(self, wait: JobWait) -> str:
        return self._site().job_url(wait.job_id)

    def _rest_of_log(
        self, wait: JobWait, outcome: Outcome, shown_until: Mapping[str, str], collector: ResultCollector | None
    ) -> list[str]:
        """Show what the trigger left out; a log that cannot be read never fails the task."""
        from airflow_armada.operators.worker import WorkerLoop, show_rest_of_log

        settings = self._site()
        try:
            lines: list[str] = WorkerLoop().run(
                lambda: show_rest_of_log(wait, settings, outcome, shown_until, collector)
            )
        except Exception as error:
            log.warning("Cannot show the rest of the job's log: %s", error)
            return []
        return lines

    def _site(self) -> SiteSettings:
        if self._settings is None:
            self._settings = settings_for_task(self._hook)
        return self._settings

    @contextmanager
    def _client(self) -> Iterator[ArmadaClient]:
        self._site()
        with self._hook.client() as client:
            yield client


_FACTS = (
    "status",
    "cluster",
    "pool",
    "node",
    "pod",
    "run_id",
    "exit_codes",
    "resources",
    "submitted_at",
    "leased_at",
    "pending_at",
    "running_at",
    "finished_at",
)
_EMPTY: dict[str, Any] = {"exit_codes": {}, "resources": {}}


def _time(text: str) -> float:
    """Read an RFC 3339 time; an unknown one is later than any."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return float("inf")
