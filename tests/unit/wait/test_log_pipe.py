"""What a trigger makes of the socket through which its lines go to the log of its task."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.wait.log_pipe import unread, until_read
from airflow_armada.wait.task_log import TaskLogReporter

STAMP = "2026-11-22T10:00:00.{:09d}Z"


@dataclass
class Factory:
    """Makes loggers that write into a file, as Airflow's does in a triggerer."""

    io: BinaryIO

    def __call__(self, *_: Any) -> structlog.BytesLogger:
        return structlog.BytesLogger(self.io)


@pytest.fixture
def supervisor() -> Iterator[socket.socket]:
    """The end at which Airflow reads; the log of this process goes into the other one."""
    before = structlog.get_config()
    ours, theirs = socket.socketpair()
    with theirs, os.fdopen(ours.detach(), "wb", buffering=0) as file:
        structlog.configure(
            processors=[structlog.processors.JSONRenderer(lambda value, **_: str(value).encode())],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            logger_factory=Factory(file),
            cache_logger_on_first_use=False,
        )
        try:
            yield theirs
        finally:
            structlog.configure(**before)


def read(supervisor: socket.socket) -> bytes:
    supervisor.setblocking(False)
    found = b""
    try:
        while part := supervisor.recv(4096):
            found += part
    except BlockingIOError:
        return found
    return found


async def write(reporter: TaskLogReporter, container: str, first: int, last: int) -> None:
    await reporter.log_lines(container, [(STAMP.format(number), f"line {number}") for number in range(first, last + 1)])


def test_a_log_that_goes_elsewhere_is_always_read() -> None:
    assert unread() == 0


async def test_what_airflow_has_not_read_is_waited_for(supervisor: socket.socket) -> None:
    structlog.get_logger().info("a line")
    waiting = [asyncio.create_task(until_read(30)) for _ in range(300)]
    await asyncio.sleep(0.3)
    assert not any(one.done() for one in waiting)

    read(supervisor)

    assert all(await asyncio.gather(*waiting))


async def test_what_others_log_meanwhile_need_not_be_read(supervisor: socket.socket) -> None:
    log = structlog.get_logger()
    for _ in range(50):
        log.info("x" * 500)
    waiting = asyncio.create_task(until_read(30))
    await asyncio.sleep(0.1)

    for _ in range(40):
        for _ in range(5):
            log.info("y" * 500)
        await asyncio.sleep(0.12)
        supervisor.recv(3300)
        await asyncio.sleep(0.12)
        if waiting.done():
            break

    assert unread()
    assert await waiting


async def test_but_not_for_ever(supervisor: socket.socket) -> None:
    structlog.get_logger().info("a line")

    assert not await until_read(0.1)


async def test_lines_that_were_read_need_not_be_shown_again(supervisor: socket.socket) -> None:
    reporter = TaskLogReporter(in_triggerer=True)
    await write(reporter, "base", 1, 3)
    read(supervisor)

    assert await reporter.not_read(10) == {}
    assert reporter.shown_until() == {"base": "2026-11-22T10:00:00.005000Z"}


async def test_reading_goes_on_with_the_first_line_of_which_nothing_is_known(supervisor: socket.socket) -> None:
    reporter = TaskLogReporter(in_triggerer=True)
    await write(reporter, "base", 1, 3)
    await write(reporter, "sidecar", 7, 7)
    read(supervisor)
    await write(reporter, "base", 4, 6)
    await write(reporter, "base", 7, 8)

    assert await reporter.not_read(0.1) == {"base": [STAMP.format(4), 0]}
    # The worker writes what it shows again after that time.
    assert reporter.shown_until() == {"base": "2026-11-22T10:00:00.005000Z", "sidecar": "2026-11-22T10:00:00.001000Z"}


async def test_a_container_of_which_nothing_was_read_is_begun_again(supervisor: socket.socket) -> None:
    reporter = TaskLogReporter(in_triggerer=True)
    await write(reporter, "base", 1, 3)

    assert await reporter.not_read(0.1) == {"base": [STAMP.format(1), 0]}
    assert reporter.shown_until() == {}


async def test_no_two_lines_of_a_container_share_a_millisecond(supervisor: socket.socket) -> None:
    """Airflow merges two triggerers' logs of a task by milliseconds, and drops a line only after an equal one."""
    one, other = TaskLogReporter(keep=True, in_triggerer=True), TaskLogReporter(keep=True, in_triggerer=True)
    for number in range(1, 10):
        await write(one, "base", number, number)
    await write(other, "base", 1, 9)

    assert one.kept_records() == other.kept_records()
    assert len({record["timestamp"][:23] for record in one.kept_records()}) == 9


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5_000_000)), max_size=20))
async def test_a_line_about_the_job_shares_no_millisecond_with_one_of_the_job(lines: list[tuple[bool, int]]) -> None:
    """It may come earlier or later in the log of another triggerer, and would then stand between two equal lines."""
    reporter = TaskLogReporter(keep=True, in_triggerer=True)
    for own, at in lines:
        if own:
            reporter.state("it runs", STAMP.format(at))
        else:
            await reporter.log_lines("base", [(STAMP.format(at), "a line")])
    await reporter.flush()

    records = reporter.kept_records()
    own, of_job = ({one["timestamp"][:23] for one in records if bool(one["container"]) is job} for job in (False, True))
    assert not own & of_job
