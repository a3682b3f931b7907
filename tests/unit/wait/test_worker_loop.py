"""Waiting on the worker while Airflow's alarm goes off."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import nullcontext

import pytest
from airflow.sdk.execution_time.timeout import timeout

from airflow_armada._compat import AirflowTaskTimeout
from airflow_armada.wait.worker_loop import WorkerLoop


class Channel:
    """Something that only the garbage collector frees, as it does gRPC's channels."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_coroutine_used_is_gone_when_it_has_ended(fails: bool) -> None:
    # OpenLineage forks the worker when a task ends; gRPC's channels and threads must not be there then.
    used: list[weakref.ref[Channel]] = []

    async def call(channel: Channel) -> None:
        if fails:
            raise ValueError("refused")

    async def work() -> None:
        channel = Channel()
        used.append(weakref.ref(channel))
        try:
            await call(channel)
        except ValueError as error:
            raise RuntimeError("refused for good") from error

    with pytest.raises(RuntimeError) if fails else nullcontext():
        WorkerLoop().run(work)

    assert used[0]() is None


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
