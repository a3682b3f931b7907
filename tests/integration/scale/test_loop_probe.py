"""Whoever keeps a triggerer's loop from turning is named."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scale.loop_probe import LIMIT, Block, Collection, LoopWatch, Moment, Sample, describe, read
from tests.support.components import wait_until

SPIN = """
import time

def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def calls(function, *arguments):
    return function(*arguments)
"""


def functions_of(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(SPIN, f"{folder}/some.py", "exec"), found)
    return found


async def watched(file: Path, work: Callable[[], object]) -> list[Block]:
    with LoopWatch(file, ours="/home/ours"):
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_soon(work)
        await asyncio.to_thread(wait_until, lambda: read(file), "a block", 30)
    return read(file)


async def test_a_callback_of_ours_that_takes_long_is_ours(tmp_path: Path) -> None:
    ours = functions_of("/home/ours")
    longest = max(await watched(tmp_path / "blocks", lambda: ours["spin"](0.3)), key=lambda block: block.longest)
    assert longest.longest > LIMIT
    assert longest.where.endswith("spin")


async def test_what_airflow_does_is_not_ours(tmp_path: Path) -> None:
    theirs = functions_of("/home/theirs")
    blocks = await watched(tmp_path / "blocks", lambda: theirs["spin"](0.3))
    assert [block.longest for block in blocks] == [0.0] * len(blocks)
    assert all(not block.where for block in blocks)


async def test_what_airflow_does_when_we_call_it_is_ours(tmp_path: Path) -> None:
    ours, theirs = functions_of("/home/ours"), functions_of("/home/theirs")
    blocks = await watched(tmp_path / "blocks", lambda: ours["calls"](theirs["spin"], 0.3))
    assert max(block.longest for block in blocks) > LIMIT
    assert max(blocks, key=lambda block: block.longest).where.endswith("calls")


async def test_nothing_is_left_of_the_watch(tmp_path: Path) -> None:
    before = len(gc.callbacks)
    with LoopWatch(tmp_path / "blocks"):
        await asyncio.sleep(0)
    assert len(gc.callbacks) == before


def sample(at: float, *, waited: float = 0.0, callback: object = None, ours: str = "") -> Sample:
    return Sample(Moment(at, waited), callback, ours, "top")


def test_what_lies_between_two_samples_belongs_to_the_later_one() -> None:
    a, b = object(), object()
    samples = [sample(1.1, callback=a, ours="f"), sample(1.3, callback=b), sample(1.4, callback=b, ours="g")]
    block = describe(Moment(1.0, 0.0), Moment(1.5, 0.0), samples, [])
    assert (block.seconds, block.ours, block.longest, block.where) == (0.5, 0.3, 0.2, "g")


def test_waiting_for_a_cpu_and_collecting_garbage_is_nobodys() -> None:
    a = object()
    samples = [sample(1.2, waited=0.1, callback=a, ours="f"), sample(1.5, waited=0.1, callback=a, ours="f")]
    block = describe(Moment(1.0, 0.0), Moment(1.5, 0.1), samples, [Collection(1.25, 1.35, 0.1)])
    assert (block.waited, block.collected, block.ours, block.longest) == (0.1, 0.1, 0.3, 0.3)


def test_a_wait_that_is_told_late_takes_from_what_was_before() -> None:
    samples = [sample(1.1, callback=object(), ours="f"), sample(1.3, callback=object()), sample(1.4)]
    block = describe(Moment(1.0, 0.0), Moment(1.4, 0.4), samples, [])
    assert (block.seconds, block.waited, block.ours) == (0.4, 0.4, 0.0)


def test_a_stack_without_a_callback_is_nobodys(tmp_path: Path) -> None:
    ours = functions_of("/home/ours")

    async def main() -> list[Block]:
        return await watched(tmp_path / "blocks", lambda: functions_of("/home/theirs")["spin"](0.3))

    assert all(not block.where for block in ours["calls"](asyncio.run, main()))


def test_many_callbacks_of_one_turn_are_added_up() -> None:
    callbacks = [object() for _ in range(4)]
    samples = [sample(1.1 + n / 10, callback=one, ours="f") for n, one in enumerate(callbacks)]
    block = describe(Moment(1.0, 0.0), Moment(1.4, 0.0), samples, [])
    assert (block.ours, block.longest) == (0.4, 0.1)


def test_samples_of_an_earlier_turn_do_not_count() -> None:
    block = describe(Moment(1.0, 0.0), Moment(1.1, 0.0), [sample(0.9, ours="f")], [])
    assert (block.ours, block.top) == (0.0, "")
