"""Cancelling what the submission of a job has made besides it; see :mod:`airflow_armada.task.submit.submission`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_armada._detached import start_detached
from airflow_armada.wait.cancel import SURPLUS, cancel_async

if TYPE_CHECKING:
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.wait.job_wait import JobWait

_LAST_WORDS = 30.0  # s for which the end of a job waits for the cancels of its copies

log = logging.getLogger("airflow.task.operators.airflow_armada")


class Copies:
    """
    Cancels the copies of a job that is followed: whoever follows a job keeps that one.

    :param wait: the job.
    :param source: gives the site.
    """

    def __init__(self, wait: JobWait, source: SettingsSource) -> None:
        self._wait = wait
        self._source = source
        self._cancels: set[asyncio.Task[None]] = set()

    def cancel(self, job_id: str) -> None:
        """
        Begin to cancel a copy, which goes on when the job has ended.

        :param job_id: the copy.
        """
        self._cancels.add(start_detached(self._cancel(job_id)))

    async def finish(self) -> None:
        """Wait for the cancels, because the event loop of a worker ends with its job."""
        if self._cancels:
            await asyncio.wait(self._cancels, timeout=_LAST_WORDS)

    async def _cancel(self, job_id: str) -> None:
        copy = self._wait.job._replace(job_id=job_id)
        try:
            if await cancel_async(copy, self._source.read, SURPLUS, unless_ended=True):
                log.info("Cancelled Armada job %s, a copy of %s", job_id, self._wait.job_id)
        except Exception as error:
            log.error("Cannot cancel Armada job %s, a copy of %s: %s", job_id, self._wait.job_id, error)
