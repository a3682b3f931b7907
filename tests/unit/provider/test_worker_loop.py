"""Waiting on the worker while Airflow's alarm goes off."""

from __future__ import annotations

import asyncio

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from airflow_armada.operators.worker import WorkerLoop


def test_what_ends_a_moment_after_the_alarm_is_heard() -> None:
    async def report() -> str:
        await asyncio.sleep(0.3)
        return "what is known of the job"

    with timeout(0.1):
        result = WorkerLoop().run(report, last_words=60)

    assert result == "what is known of the job"


def test_what_does_not_end_is_cancelled() -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(AirflowTaskTimeout), timeout(0.1):
        WorkerLoop().run(hang, last_words=0.1)

    assert cancelled == [True]
