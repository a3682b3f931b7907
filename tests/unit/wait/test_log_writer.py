"""What is short is written before what is long, and everything gets its turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from airflow_armada.wait import log_writer
from airflow_armada.wait.log_writer import LogWriter


class Held:
    """A writer whose thread is busy until :meth:`release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(log_writer, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.written: list[str] = []
        self._writer = LogWriter()
        self._free = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def write(self, name: str, lines: int) -> asyncio.Task[None]:
        self._tasks.append(asyncio.create_task(self._writer.write(lines, lambda: self.written.append(name))))
        await asyncio.sleep(0)
        return self._tasks[-1]

    async def hold(self) -> None:
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            self._free.wait(30)

        self._tasks.append(asyncio.create_task(self._writer.write(1, wait)))
        await asyncio.to_thread(begun.wait, 30)

    async def release(self) -> list[str]:
        self._free.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self.written


@pytest.fixture
async def held(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    writer = Held(monkeypatch)
    await writer.hold()
    yield writer
    await writer.release()


async def test_few_lines_go_before_many(held: Held) -> None:
    for number in range(3):
        await held.write(f"many {number}", 20)
    await held.write("few", 2)
    assert await held.release() == ["few", "many 0", "many 1", "many 2"]


async def test_many_lines_get_their_turn(held: Held) -> None:
    await held.write("many", 20)
    held.now = 20.0
    await held.write("few", 2)
    assert await held.release() == ["many", "few"]


async def test_what_nobody_waits_for_any_more_is_not_written(held: Held) -> None:
    (await held.write("given up", 2)).cancel()
    await asyncio.sleep(0)
    await held.write("other", 2)
    assert await held.release() == ["other"]


async def test_what_cannot_be_written_is_told_and_holds_up_nobody() -> None:
    writer, written = LogWriter(), []

    def fail() -> None:
        raise OSError("the pipe is closed")

    with pytest.raises(OSError, match="closed"):
        await writer.write(1, fail)
    await writer.write(1, lambda: written.append("next"))
    assert written == ["next"]
