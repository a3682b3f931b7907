"""Ending a job from the worker: at most once, and exactly this one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from airflow_armada._compat import AirflowException

if TYPE_CHECKING:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.wait.job_wait import JobWait

KILLED = "Airflow task was killed"
"""Reason given to Armada, which takes at most 50 bytes."""

_KILL_TIMEOUT = 3.0  # s; Airflow kills the process 5 s after SIGTERM
_CANCEL_GRACE = 600.0  # s for which a server that is away is waited for, as long as this process lives
_CANCEL_PAUSE = 5.0

log = logging.getLogger("airflow.task.operators.airflow_armada")


class Ending:
    """
    Cancels jobs of a task.

    :param client: opens a client of the site.
    :param note_end: notes how a job ended, for the next try.
    """

    def __init__(
        self,
        client: Callable[[], AbstractContextManager[ArmadaClient]],
        note_end: Callable[[JobWait, str], None],
    ) -> None:
        self._client = client
        self._note_end = note_end
        self._done: set[str] = set()
        self._killed = threading.Event()

    @property
    def killed(self) -> bool:
        """Whether the task was killed."""
        return self._killed.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the task is killed."""
        self._killed.wait(seconds)

    def kill(self, wait: JobWait | None) -> None:
        """
        Note that the task was killed, and cancel its job.

        Called from Airflow's signal handler, so nothing here may use the channel to Airflow's supervisor, which the
        main thread may be using at this moment.

        :param wait: the job; None while none is known.
        """
        self._killed.set()
        if wait is None or wait.job_id in self._done:
            return
        if not wait.cancel_on_kill:
            self._done.add(wait.job_id)
            log.info("The task was killed; Armada job %s keeps running (cancel_on_kill=False)", wait.job_id)
            return
        # In a thread: this process is about to be killed, and a server that is silent must not use up that time.
        thread = threading.Thread(target=self.cancel, args=(wait, KILLED), name="armada-cancel", daemon=True)
        thread.start()
        thread.join(_KILL_TIMEOUT)

    def stop(self, wait: JobWait) -> None:
        """
        End the task after it was killed; the record keeps a retry from taking over what was cancelled.

        :param wait: the job.
        :raises AirflowException: always.
        """
        self.kill(wait)
        if wait.cancel_on_kill:
            self._note_end(wait, "killed")
        raise AirflowException(f"The task was killed while Armada job {wait.job_id} was running")

    def cancel(self, wait: JobWait, reason: str) -> None:
        """
        Cancel a job; what goes wrong is logged, because something worse is about to be raised.

        :param wait: the job.
        :param reason: at most 50 bytes.
        """
        if wait.job_id in self._done:
            return
        self._done.add(wait.job_id)
        give_up = time.monotonic() + _CANCEL_GRACE
        while (error := self._try_cancel(wait, reason)) is not None:
            if not _may_pass(error) or time.monotonic() >= give_up:
                log.error("Cannot cancel Armada job %s: %s", wait.job_id, error)
                return
            log.warning("Armada job %s is not cancelled yet, trying again: %s", wait.job_id, error)
            time.sleep(_CANCEL_PAUSE)
        log.info("Cancelled Armada job %s: %s", wait.job_id, reason)

    def _try_cancel(self, wait: JobWait, reason: str) -> Exception | None:
        try:
            with self._client() as client:
                client.cancel_jobs(wait.job.queue, wait.job.job_set_id, job_id=wait.job_id, reason=reason)
        except Exception as error:
            return error
        return None

    def give_up(self, wait: JobWait, *, leave: bool) -> None:
        """
        Stop waiting for a job that still runs.

        :param wait: the job.
        :param leave: whether another try will take it over; otherwise nobody would ever look after it again.
        """
        if leave:
            log.warning("Armada job %s is left to the next try", wait.job_id)
            return
        self.cancel(wait, "the task stopped waiting for the job")
        self._note_end(wait, "killed")


def _may_pass(error: Exception) -> bool:
    """Tell whether the same call may succeed later: the server is away, or refuses credentials for the moment."""
    from airflow_armada.client.errors import ArmadaError, Unauthenticated

    return isinstance(error, ArmadaError) and (error.transient or isinstance(error, Unauthenticated))
