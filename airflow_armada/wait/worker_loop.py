"""Waiting for a job on the worker, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import traceback
import weakref
from concurrent import futures
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import AirflowTaskTimeout, conf
from airflow_armada.wait.event import make_event
from airflow_armada.wait.following import followed_job, line_filter, result_collector, wait_for_job
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.newest_lines import NewestLines
from airflow_armada.wait.task_log import TaskLogReporter
from airflow_armada.wait.witness import Witnessed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.wait.witness import Witness


_COLLECTIONS = 100


class WorkerLoop:
    """
    Run one coroutine with ``asyncio.run`` beside the main thread.

    Airflow's signal handlers run, and raise, in the main thread. There they interrupt nothing but the wait for the
    result, and never an event loop in the middle of a step.

    :param killed: tells whether the task was killed, so that the coroutine is not even begun.
    """

    def __init__(self, killed: Callable[[], bool] = lambda: False) -> None:
        self._result: futures.Future[Any] = futures.Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._killed = killed

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]], *, last_words: float = 0.0) -> Any:
        """
        Run to the end.

        :param work: makes the coroutine.
        :param last_words: seconds that the coroutine is given to end by itself after Airflow's ``execution_timeout``.
        :return: its result.
        :raises asyncio.CancelledError: after :meth:`stop`.
        :raises AirflowTaskTimeout: when ``execution_timeout`` passed and the coroutine did not end.
        """
        target = contextvars.copy_context().run
        thread = threading.Thread(target=target, args=(self._main, work), name="armada-follower", daemon=True)
        thread.start()
        try:
            return self._result.result()
        except AirflowTaskTimeout:
            futures.wait([self._result], last_words)
            if not self._result.done():
                raise
            return self._result.result()
        finally:
            self.stop()
            thread.join(5.0)

    def stop(self) -> None:
        """Cancel the coroutine; safe to call from a signal handler, twice, and before or after it ran."""
        if self._loop is not None and self._task is not None and not self._result.done():
            with suppress(RuntimeError):  # the loop closed meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _main(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            result = asyncio.run(self._cancellable(work))
        except BaseException as error:
            free_channels(error)
            self._result.set_exception(error)
        else:
            free_channels()
            self._result.set_result(result)

    async def _cancellable(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if self._killed():
            raise asyncio.CancelledError
        return await work()


def free_channels(error: BaseException | None = None) -> None:
    """
    Let go of gRPC's channels, and with them of its threads.

    They hang in reference cycles, and in the frames of what was raised. OpenLineage forks this process when the task
    ends; a child that finds them there waits for ever when it collects them.

    :param error: what ended the coroutine; its frames lose their variables, its lines are still told.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    # A collection that begins while another thread collects does nothing.
    garbage = weakref.ref(_Cycle())
    for _ in range(_COLLECTIONS):
        gc.collect()
        if garbage() is None:
            break
        time.sleep(0.01)


class _Cycle:
    """What only the garbage collector frees, and so tells whether it has run."""

    def __init__(self) -> None:
        self.itself = self


async def follow_to_event(
    wait: JobWait, settings: SiteSettings, source: SettingsSource, witness: Witness | None = None
) -> dict[str, Any]:
    """
    Follow a job and give what a trigger would have fired.

    :param wait: the job.
    :param settings: the site.
    :param source: gives it anew.
    :param witness: sees it as well as the task log.
    :return: the payload of the event.
    """
    reporter, result = TaskLogReporter(name_containers=wait.names_containers), result_collector(wait)
    outcome = await wait_for_job(wait, settings, source, reporter, collector=result, witness=witness)
    await reporter.flush()
    return make_event(wait, outcome, reporter, result)


async def show_rest_of_log(
    wait: JobWait,
    settings: SiteSettings,
    outcome: Outcome,
    shown_until: Mapping[str, str],
    collector: ResultCollector | None = None,
    reporter: TaskLogReporter | None = None,
    witness: Witness | None = None,
) -> tuple[Outcome, list[str]]:
    """
    Show what the trigger left out of the job's log.

    :param wait: the job.
    :param settings: the site.
    :param outcome: its end, with the position up to which the log was shown.
    :param shown_until: by container, the time of the last line that was shown.
    :param collector: receives the result that the job prints.
    :param reporter: what shows it; a new one by default.
    :param witness: sees it as well.
    :return: its end with what was read now, and the last lines of the rest.
    """
    from airflow_armada.follow.log.rest_of_log import fetch_remaining_logs
    from airflow_armada.follow.timings import DEFAULT

    # Without the log there is no result.
    patient = outcome.status == "succeeded" and collector is not None
    timings = replace(DEFAULT, log_tail=DEFAULT.result_tail) if patient else DEFAULT
    reporter = reporter or TaskLogReporter(name_containers=wait.names_containers, shown_until=shown_until)
    observer = reporter if witness is None else Witnessed(reporter, wait, witness)
    newest = NewestLines(observer, conf.getint("armada", "rest_of_log_lines", fallback=10_000))
    read = await fetch_remaining_logs(
        settings, followed_job(wait), outcome, newest, timings, line_filter(wait, collector), patient=patient
    )
    await newest.release()
    if not read.logs_complete:
        reporter.state(f"Job {wait.job_id}: the rest of its log cannot be read", level="warning")
    await reporter.flush()
    return read, reporter.last_lines()
