"""Many lives, divided among processes: what comes of them does not depend on how they are divided."""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import structlog

from tests.simulation.drawing import draw
from tests.simulation.life import live

PART = 50  # lives that a process is given at once


@dataclass(frozen=True)
class Part:
    """
    What has come of some lives.

    :param lives: how many there were.
    :param broken: seeds of those that have gone wrong.
    :param met: in how many of them an option and a fault have met.
    :param moves: in how many of them a followed job has moved from one state to another.
    """

    lives: int
    broken: tuple[int, ...]
    met: Counter[tuple[str, str]]
    moves: Counter[str]


def live_many(first: int, count: int, workers: int) -> Iterator[Part]:
    """
    Let lives happen whose seeds follow each other.

    :param first: the first seed.
    :param count: how many.
    :param workers: processes.
    :return: parts, in the order of their seeds.
    """
    parts = [(start, min(PART, first + count - start)) for start in range(first, first + count, PART)]
    if workers == 1:
        yield from map(_live_part, parts)
        return
    context = multiprocessing.get_context("fork")  # all that takes long to import is there already
    with ProcessPoolExecutor(workers, context) as processes:
        yield from processes.map(_live_part, parts)


def _live_part(part: tuple[int, int]) -> Part:
    first, count = part
    broken: list[int] = []
    met: Counter[tuple[str, str]] = Counter()
    moves: Counter[str] = Counter()
    for seed in range(first, first + count):
        record = live(draw(seed))
        broken += [seed] if record.broken else []
        met.update(record.met)
        moves.update(record.moves)
    return Part(count, tuple(broken), met, moves)


def say_nothing() -> None:
    """Let no code log anything: thousands of lives would fill the screen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
