"""Tasks that come in a crowd pass a gate a few at a time."""

from __future__ import annotations

import asyncio

from airflow_armada.follow.start_pace import StartPace


async def test_a_crowd_passes_in_order_and_no_more_than_the_width_in_a_turn() -> None:
    gate = StartPace(3)
    passed: list[int] = []
    turn = 0
    turns: list[int] = []

    async def come(number: int) -> None:
        await gate.pass_through()
        passed.append(number)
        turns.append(turn)

    crowd = [asyncio.create_task(come(number)) for number in range(20)]
    while len(passed) < len(crowd):
        turn += 1
        await asyncio.sleep(0)

    assert passed == list(range(20))
    assert max(turns.count(each) for each in turns) <= 3


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    gate = StartPace(1)
    crowd = [asyncio.create_task(gate.pass_through()) for _ in range(5)]
    await asyncio.sleep(0)
    crowd[2].cancel()

    await asyncio.wait_for(asyncio.gather(*crowd, return_exceptions=True), 5)

    assert all(task.done() for task in crowd)
