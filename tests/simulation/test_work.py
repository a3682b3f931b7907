"""No step of the event loop does more than its share of work, whatever comes at once: counted, not timed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from airflow_armada.follow.log import log_follower, log_service
from airflow_armada.follow.stream import history, tracked_job
from airflow_armada.standalone.store import event_messages
from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Action
from tests.simulation.life import live
from tests.simulation.printing import LINES
from tests.simulation.scripts import Script
from tests.simulation.world import World

EVENTS, LINES_PRINTED = 3000, 5000
BUDGET = {"events folded": 200, "lines taken out of an answer": 2000, "lines made printable": 200}
"""The most of each in one step."""


class Work:
    """Counts operations by the step of the loop in which they were done."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self._step = -1
        self._now: Counter[str] = Counter()

    def counted(self, what: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Make an operation count."""

        def call(*arguments: Any) -> Any:
            loop: Any = asyncio.get_running_loop()
            if loop.steps != self._step:
                self._step = loop.steps
                self._now.clear()
            self._now[what] += 1
            self.total[what] += 1
            self.most[what] = max(self.most[what], self._now[what])
            return operation(*arguments)

        return call

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count for a while."""
        fold = self.counted("events folded", tracked_job.fold)
        with (
            patch.object(tracked_job, "fold", fold),
            patch.object(history, "fold", fold),
            patch.object(log_service, "Line", self.counted("lines taken out of an answer", log_service.Line)),
            patch.object(log_follower, "printable", self.counted("lines made printable", log_follower.printable)),
        ):
            yield


def _flood(world: World) -> None:
    """Let thousands of events of the job come at once."""
    (job,) = world.jobs
    events = [event_messages.utilisation(job, {"cpu": f"{number}m"}, {}, {}) for number in range(EVENTS)]
    world.armada.engine.events.append(job.spec.queue, job.job_set_id, events)


@pytest.mark.parametrize("deferrable", [True, False])
def test_no_step_of_the_loop_does_more_than_its_share(deferrable: bool) -> None:
    script = Script(seconds=60, notes={LINES: str(LINES_PRINTED)}, actions=[Action("restart triggerer", 40, length=1)])
    work = Work()

    def prepare(world: World, tasks: list[SimulatedTask]) -> None:
        script.begin(world, tasks)
        asyncio.get_running_loop().call_later(30, _flood, world)

    with work.counting():
        record = live(script.life(deferrable=deferrable), prepare)

    assert record.broken == []
    assert work.total["events folded"] > EVENTS
    assert work.total["lines made printable"] >= LINES_PRINTED
    assert {what: count for what, count in work.most.items() if count > BUDGET[what]} == {}
