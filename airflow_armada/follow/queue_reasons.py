"""Asking why jobs are queued: each queue once for all of its jobs, and the scheduler seldom."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple, Protocol

from airflow_armada.follow import background
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.log.budget import TokenBucket
from airflow_armada.follow.state.queue_reason import is_answer, queue_reason

logger = logging.getLogger(__name__)

JOB_REPORTS_PER_SECOND = 1.0
"""Requests for the scheduler's reports on jobs, over all jobs of a site; it says much the same of most of them."""

_FRESH = 30.0
"""Seconds for which what was said of a queue is taken for true."""


class Calls(Protocol):
    """The part of ``ArmadaAsyncIOClient`` that tells why a job is queued."""

    async def get_job_report(self, job_id: str) -> str: ...

    async def get_annotations(self, job_id: str) -> Mapping[str, str]: ...

    async def get_queue_report(self, queue: str) -> str: ...

    async def get_queue(self, name: str) -> Any: ...


class _Queue(NamedTuple):
    asked_at: float
    cordoned: bool
    report: str


class QueueReasons:
    """Answers for all followers of a site.

    :param calls: the site's unary calls
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._reports = TokenBucket(JOB_REPORTS_PER_SECOND, 20)
        self._queues: dict[str, asyncio.Task[_Queue]] = {}

    async def ask(self, job: FollowedJob) -> str:
        """Say in one sentence why a job waits; "" when nobody knows.

        :param job: a job that is queued
        """
        queue = await self._queue(job.ref.queue)
        report = "" if queue.cordoned else await self._job_report(job.job_id)
        asked = report and not is_answer(report)
        return queue_reason(
            job.job_id,
            job.ref.queue,
            cordoned=queue.cordoned,
            job_report=report,
            queue_report=queue.report,
            annotations=await _answer(self._calls.get_annotations(job.job_id)) or {} if asked else {},
        )

    async def close(self) -> None:
        """End what is being asked."""
        await background.end(*self._queues.values())

    async def _queue(self, name: str) -> _Queue:
        task = self._queues.get(name)
        if task is None or (task.done() and time.monotonic() - task.result().asked_at > _FRESH):
            task = self._queues[name] = background.spawn(self._ask_for_queue(name), f"armada queue {name}")
        return await asyncio.shield(task)

    async def _ask_for_queue(self, name: str) -> _Queue:
        queue = await _answer(self._calls.get_queue(name))
        report = await _answer(self._calls.get_queue_report(name))
        return _Queue(time.monotonic(), bool(queue and queue.cordoned), report or "")

    async def _job_report(self, job_id: str) -> str:
        if not self._reports.take_one():
            return ""
        return await _answer(self._calls.get_job_report(job_id)) or ""


async def _answer(call: Awaitable[Any]) -> Any:
    """Return what a call gives; None where it fails, which costs nothing but an explanation."""
    try:
        return await call
    except Exception as error:
        logger.debug("Cannot be asked why jobs are queued: %s", error)
        return None
