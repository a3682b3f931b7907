"""The trigger that waits for a job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_armada._compat import TRIGGERS_HEAR_OF_KILLS, event_hold
from airflow_armada._detached import run_detached, start_detached
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.foreign_text import storable_value
from airflow_armada.client.patience import Kind, Patience, retry_async
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.triggers.few_lines import may_say
from airflow_armada.triggers.imports import imported
from airflow_armada.triggers.killed import is_taken_away, was_killed
from airflow_armada.wait.cancel import OVERDUE, cancel_async
from airflow_armada.wait.event import make_error_event, make_event
from airflow_armada.wait.following import result_collector, wait_for_job
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.metrics import count_end
from airflow_armada.wait.task_log import TaskLogReporter

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector

_PATIENCE = Patience(outage=600.0, first=2.0, most=15.0)  # with a connection that cannot be read or used
_OVERDUE_PATIENCE = Patience(outage=600.0, error=600.0, first=1.0, most=15.0)
_MAX_HOLD = 120.0
_READ_BOUND = 120.0  # s; 1,500 jobs that end together on a busy machine take a minute, 150 a second
_TAKEN_AWAY = (
    "Airflow has taken the trigger of Armada job %s away from this triggerer;"
    " the job is cancelled if the task was killed, and otherwise goes on"
)


class ArmadaJobTrigger(BaseTrigger):
    """
    Wait for a job over the event stream that all triggers of its job set share, and fire once.

    :param kwargs: the fields of :class:`~airflow_armada.wait.job_wait.JobWait`; unknown ones, which a newer version
        may have stored, are ignored.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wait = JobWait.from_dict(kwargs)
        self._ended = False
        self._ending: asyncio.Task[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class path and arguments from which another process makes this trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", storable_value(self.wait.to_dict())

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job to its end and fire an event with its outcome."""
        try:
            event = await self._end_of_job()
        except asyncio.CancelledError as error:
            if is_taken_away(error):
                self._begin_ending()
            raise
        yield event

    async def _end_of_job(self) -> TriggerEvent:
        started = time.time()
        reporter = TaskLogReporter(
            name_containers=self.wait.names_containers, keep=bool(self.wait.resubmit_on), in_triggerer=True
        )
        try:
            await imported()
            result = result_collector(self.wait)
            outcome = await self._follow(reporter, result)
        except Exception as error:
            await self.log.aerror("Armada job %s cannot be followed any further: %s", self.wait.job_id, error)
            await self._hold(started)
            self._ended = True
            return TriggerEvent(make_error_event(self.wait, error))  # type: ignore[no-untyped-call]
        self._ended = outcome.status not in OVERDUE
        cancelled = await self._cancel_overdue(outcome)
        await self._hold(started)
        if not_read := await reporter.not_read(_READ_BOUND):
            outcome = replace(outcome, logs_complete=False, log_positions=outcome.log_positions | not_read)
        self._ended = True
        if self._leaves_nothing(outcome):
            count_end(self.wait, outcome)
            return TaskSuccessEvent()
        event = make_event(self.wait, outcome, reporter, result)
        if cancelled:
            event["cancelled"] = True
        return TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _follow(self, reporter: TaskLogReporter, collector: ResultCollector | None) -> Outcome:
        """Follow the job as soon as its connection can be used: a file or a secrets backend may be away for long."""
        said = ""

        async def attempt() -> Outcome:
            settings, source = await self._settings(), ArmadaHook(self.wait.armada_conn_id).source()
            return await wait_for_job(self.wait, settings, source, reporter, budget=True, collector=collector)

        def told(error: Exception, _: float) -> None:
            nonlocal said
            if str(error) != said:
                said = str(error)
                start_detached(self.log.awarning("Armada job %s cannot be followed yet: %s", self.wait.job_id, said))

        return await retry_async(attempt, _PATIENCE, kind=_unusable_settings_may_pass, told=told)

    async def _cancel_overdue(self, outcome: Outcome) -> bool:
        """Cancel a job whose time is up: a worker that resumes has few seconds for it, and here there is time."""
        spared = outcome.status == "timed_out" and not self.wait.cancel_on_kill
        if outcome.status not in OVERDUE or spared:
            return False
        try:
            work = cancel_async(
                self.wait.job, self._settings, OVERDUE[outcome.status], _OVERDUE_PATIENCE, unless_ended=True
            )
            cancelled = await run_detached(work)
        except Exception as error:
            await self.log.aerror("Armada job %s could not be cancelled: %s", self.wait.job_id, error)
            return False
        if cancelled:
            await self.log.ainfo("Cancelled Armada job %s: %s", self.wait.job_id, OVERDUE[outcome.status])
        return True

    def _leaves_nothing(self, outcome: Outcome) -> bool:
        """Tell whether the task can end here; ``dag.test()`` takes no such end, and resumes with it."""
        shown = outcome.logs_complete or not self.wait.get_logs
        ends = self.wait.end_in_trigger and self.task_instance is not None
        return ends and outcome.status == "succeeded" and shown

    def _begin_ending(self) -> asyncio.Task[None] | None:
        """
        Begin, once, what ends the job if the user killed the task; see :func:`was_killed`.

        Nothing is awaited before: Airflow repeats the cancel each second, and the next one ends whatever is awaited.
        With hundreds of cancels at once it comes before Airflow has reached :meth:`on_kill`.
        """
        if not self._ended and self._ending is None:
            self._ending = start_detached(self._cancel_if_killed())
        return self._ending

    async def on_kill(self) -> None:
        """Wait for what :meth:`run` has begun, so that its lines reach the log of the task."""
        if (ending := self._begin_ending()) is not None:
            await asyncio.shield(ending)

    async def cleanup(self) -> None:
        """Release nothing: leaving :meth:`run` detaches from the shared watch. Before 3.3 it stands in for on_kill."""
        if not TRIGGERS_HEAR_OF_KILLS:
            await self.on_kill()

    async def _cancel_if_killed(self) -> None:
        job_id = self.wait.job_id
        told = may_say()
        # Said first: the answer takes a new triggerer up to 13 s, and this log closes after one.
        said = start_detached(self.log.ainfo(_TAKEN_AWAY, job_id)) if told else None
        if not await was_killed(self.task_instance):
            return
        if said:
            await said
        try:
            text = await self._cancel_killed()
        except Exception as error:
            await self.log.aerror("The task was killed, but Armada job %s could not be cancelled: %s", job_id, error)
        else:
            if told:
                await self.log.ainfo(text, job_id)

    async def _cancel_killed(self) -> str:
        if not self.wait.cancel_on_kill:
            return "Armada job %s keeps running (cancel_on_kill=False)"
        if await cancel_async(self.wait.job, self._settings, unless_ended=True):
            return "The task was killed; cancelled Armada job %s"
        return "Armada job %s has ended, so there is nothing to cancel"

    async def _settings(self) -> SiteSettings:
        try:
            return await ArmadaHook(self.wait.armada_conn_id).asettings()
        except SettingsError:
            raise
        except Exception as error:
            text = f"connection {self.wait.armada_conn_id!r} cannot be read: {error or type(error).__name__}"
            raise SettingsError(text) from error

    async def _hold(self, started: float) -> None:
        """
        Wait out the time in which Airflow would take the resume for a crash of the first worker process.

        Where this trigger was slow to start, so is everything else, the first worker's end included.
        """
        if self.task_instance is None:
            return  # dag.test() has no executor that could report late
        until = max(self.wait.not_before, started + event_hold() - 1.0)
        await asyncio.sleep(min(max(0.0, until - time.time()), _MAX_HOLD))


def _unusable_settings_may_pass(error: BaseException) -> Kind:
    return Kind.OUTAGE if isinstance(error, SettingsError) else Kind.FINAL
