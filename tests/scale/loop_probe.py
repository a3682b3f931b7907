"""A trigger that watches the event loop of its triggerer: how long it stands still, and in whose code.

A thread looks at the loop's stack while a turn is late. What runs with a frame of this package on the stack counts as
ours, also what Airflow does when we call it. Time in which the loop's thread only waited for a CPU, and Python's
garbage collection, which depends on all that the process holds, are told apart.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from airflow.triggers.base import BaseTrigger, TriggerEvent

import airflow_armada

TICK = 0.01
LOOK = 0.005
LIMIT = 0.05
OURS = str(Path(airflow_armada.__file__).parent)


class Moment(NamedTuple):
    """What a thread has used up to a time, by the clocks of the machine: all in s."""

    at: float
    waited: float


class Sample(NamedTuple):
    """What the loop does at a moment.

    :param callback: the one that it runs; None between two of them
    :param ours: our innermost function on the stack, or empty
    :param top: the innermost function of all
    """

    moment: Moment
    callback: object
    ours: str
    top: str


@dataclass(frozen=True)
class Block:
    """A turn of the loop that came late.

    :param at: when it began, by the wall's clock
    :param seconds: how late
    :param waited: s of that in which its thread waited for a CPU
    :param collected: s of that in which garbage was collected
    :param ours: s of that in our code, without those two
    :param longest: the same for the longest single callback
    :param where: our innermost function in most samples of that callback
    :param top: the innermost function of all in most samples
    """

    at: float
    seconds: float
    waited: float
    collected: float
    ours: float
    longest: float
    where: str
    top: str


class Collection(NamedTuple):
    """A run of Python's garbage collection in the loop's thread.

    :param worked: s of CPU
    """

    begun: float
    ended: float
    worked: float

    def within(self, begun: float, ended: float) -> float:
        """Return what of it lies between two times."""
        wall = max(0.0, min(ended, self.ended) - max(begun, self.begun))
        return self.worked * wall / (self.ended - self.begun) if wall else 0.0


def describe(begun: Moment, ended: Moment, samples: Iterable[Sample], collections: Sequence[Collection]) -> Block:
    """Tell whose a late turn was: what lies between two samples belongs to the later one."""
    within = [sample for sample in samples if begun.at < sample.moment.at]
    borders = [begun, *(sample.moment for sample in within[:-1]), ended]
    spans = list(zip(_worked(borders, collections), within, strict=False))
    ours = longest = 0.0
    where = ""
    for _, group in groupby(spans, key=lambda span: id(span[1].callback)):
        callback = list(group)
        if functions := Counter(sample.ours for _, sample in callback if sample.ours):
            took = sum(seconds for seconds, sample in callback if sample.ours)
            ours += took
            if took > longest:
                longest, where = took, functions.most_common(1)[0][0]
    return Block(
        at=round(time.time() - time.monotonic() + begun.at, 3),
        seconds=round(ended.at - begun.at, 4),
        waited=round(ended.waited - begun.waited, 4),
        collected=round(_collected(begun, ended, collections), 4),
        ours=round(ours, 4),
        longest=round(longest, 4),
        where=where,
        top=Counter(sample.top for _, sample in spans).most_common(1)[0][0] if spans else "",
    )


def _worked(borders: Sequence[Moment], collections: Sequence[Collection]) -> list[float]:
    """Return the s between two borders each, without what was lost; the machine tells of a wait when it is over."""
    found = []
    lost = 0.0
    for before, after in reversed(list(pairwise(borders))):
        lost += after.waited - before.waited + _collected(before, after, collections)
        took = after.at - before.at
        found.append(max(0.0, took - lost))
        lost = max(0.0, lost - took)
    return found[::-1]


def _collected(begun: Moment, ended: Moment, collections: Iterable[Collection]) -> float:
    return sum(one.within(begun.at, ended.at) for one in collections)


def _function(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{frame.f_lineno} {code.co_name}"


class LoopWatch:
    """Watches the event loop that runs where this is made, and notes each turn that is :data:`LIMIT` late.

    :param file: gets a line of JSON for each
    :param ours: the folder whose code is ours
    """

    def __init__(self, file: Path, ours: str = OURS) -> None:
        self._file, self._ours = file, f"{ours}/"
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._clock = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._late: deque[tuple[Moment, Moment]] = deque()
        self._collections: deque[Collection] = deque(maxlen=1000)
        self._collecting = (0.0, 0.0)
        self._stopped = threading.Event()
        self._sampler = threading.Thread(target=self._watch, name="loop-watch", daemon=True)

    def __enter__(self) -> LoopWatch:
        gc.callbacks.append(self._collection)
        self._plan()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._handle.cancel()
        gc.callbacks.remove(self._collection)
        self._sampler.join()
        os.close(self._clock)

    def _now(self) -> Moment:
        return Moment(time.monotonic(), int(os.pread(self._clock, 100, 0).split()[1]) / 1e9)

    def _plan(self) -> None:
        now = self._now()
        self._due = Moment(now.at + TICK, now.waited)
        self._handle = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = self._now()
        if now.at - self._due.at > LIMIT:
            self._late.append((self._due, now))
        self._plan()

    def _collection(self, phase: str, _: dict[str, int]) -> None:
        if threading.get_ident() == self._thread:
            now, worked = time.monotonic(), time.thread_time()
            if phase == "start":
                self._collecting = now, worked
            else:
                begun, before = self._collecting
                self._collections.append(Collection(begun, now, worked - before))

    def _watch(self) -> None:
        samples: deque[Sample] = deque(maxlen=20_000)
        while not self._stopped.wait(LOOK):
            while self._late:
                begun, ended = self._late.popleft()
                own = [sample for sample in samples if sample.moment.at <= ended.at]
                self._note(describe(begun, ended, own, list(self._collections)))
            if time.monotonic() > self._due.at:
                samples.append(self._sample())
            elif not self._late:
                samples.clear()

    def _sample(self) -> Sample:
        callback, ours = None, ""
        frame = top = sys._current_frames().get(self._thread)
        while frame is not None:
            code = frame.f_code
            if not ours and code.co_filename.startswith(self._ours):
                ours = _function(frame)
            if code.co_name == "_run" and code.co_filename.endswith("asyncio/events.py"):
                callback = frame.f_locals["self"]
                break
            frame = frame.f_back
        return Sample(self._now(), callback, ours if callback else "", _function(top) if top else "")

    def _note(self, block: Block) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(block)) + "\n")


def read(file: Path, since: float = 0.0) -> list[Block]:
    """Return what was noted.

    :param since: leave out what began before, s since the epoch
    """
    lines = file.read_text().splitlines() if file.exists() else []
    return [block for line in lines if (block := Block(**json.loads(line))).at >= since]


class LoopProbe(BaseTrigger):
    """Watches until it is taken away.

    :param file: where it notes what it sees
    """

    def __init__(self, file: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.file = file

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {"file": self.file}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        with LoopWatch(Path(self.file)):
            await asyncio.Event().wait()
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]


class IdleTrigger(BaseTrigger):
    """A bare deferral: it waits, and does nothing else."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.Event().wait()
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]
