"""What a trigger begins and leaves to run, and how it asks Airflow."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync

from airflow_armada._detached import ask_airflow, run_detached


async def test_what_is_detached_goes_on_when_its_caller_is_cancelled() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(run_detached(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    go_on.set()

    await asyncio.wait_for(done.wait(), 10)


async def test_an_answer_of_airflow_is_read_on_the_loop_of_the_triggerer() -> None:
    async def asked_on() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    # This is how Airflow's supervisor is asked by blocking code.
    answer = await ask_airflow(async_to_sync(asked_on))

    assert answer is asyncio.get_running_loop()


async def test_an_answer_of_airflow_is_read_also_when_nobody_waits_for_it_any_more() -> None:
    sent, answered, read = threading.Event(), asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        sent.set()
        await answered.wait()
        read.set()

    caller = asyncio.create_task(ask_airflow(async_to_sync(ask)))
    await asyncio.to_thread(sent.wait, 10)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    answered.set()

    await asyncio.wait_for(read.wait(), 10)


async def test_an_error_comes_back() -> None:
    def ask() -> None:
        raise LookupError("no such connection")

    with pytest.raises(LookupError, match="no such connection"):
        await ask_airflow(ask)
