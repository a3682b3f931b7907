"""An embedded Armada without sockets, under a clock that jumps."""

from __future__ import annotations

import asyncio
import random
import selectors
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2, methods, submit_pb2
from airflow_armada.api.resource_pb2 import Quantity
from airflow_armada.standalone import clock, ids
from airflow_armada.standalone.config import Config, Simulation
from airflow_armada.standalone.in_memory import InMemoryArmada
from airflow_armada.standalone.services.dispatch import Refused

YEAR_2030 = 1_893_456_000
DAY = 86_400.0


class VirtualTime:
    """A clock that jumps to the next timer of its loop."""

    def __init__(self) -> None:
        self.now = 0.0

    def time_ns(self) -> int:
        return int((YEAR_2030 + self.now) * 1e9)

    def monotonic(self) -> float:
        return self.now


class JumpingSelector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    """Waits for nothing: lets the time pass that it should wait."""

    def __init__(self, virtual: VirtualTime) -> None:
        super().__init__()
        self.virtual = virtual

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.virtual.now += timeout
        return super().select(0)


def run(work: Any, seed: int = 0) -> Any:
    """Run a coroutine under virtual time, with ids by a seed."""
    virtual = VirtualTime()
    loop = asyncio.SelectorEventLoop(JumpingSelector(virtual))
    loop.time = virtual.monotonic  # type: ignore[method-assign]
    token = ids.random_bytes.set(random.Random(seed).randbytes)
    try:
        with clock.use(virtual):
            return loop.run_until_complete(work)
    finally:
        ids.random_bytes.reset(token)
        loop.close()


def item(**annotations: str) -> submit_pb2.JobSubmitRequestItem:
    amounts = {"cpu": Quantity(string="1"), "memory": Quantity(string="1Gi")}
    resources = core_v1_pb2.ResourceRequirements(requests=amounts, limits=amounts)
    spec = core_v1_pb2.PodSpec(containers=[core_v1_pb2.Container(name="main", resources=resources)])
    names = {f"simulate/{name}": value for name, value in annotations.items()}
    return submit_pb2.JobSubmitRequestItem(namespace="default", pod_spec=spec, annotations=names)


async def life(*jobs: submit_pb2.JobSubmitRequestItem) -> list[tuple[str, str, float]]:
    """Submit jobs and return what is told of them until all have ended: kind, job id, seconds since the beginning."""
    told = []
    config = Config(simulation=Simulation("10"))
    async with InMemoryArmada(config) as armada:
        armada.engine.queues.put(submit_pb2.Queue(name="q", priority_factor=1.0))
        submit = methods.Submit.SUBMIT_JOBS
        await armada.unary(submit, submit.request(queue="q", job_set_id="s", job_request_items=jobs))
        watch = methods.Event.GET_JOB_SET_EVENTS
        left = len(jobs)
        async for message in armada.stream(watch, watch.request(queue="q", id="s", watch=True)):
            kind = message.message.WhichOneof("events")
            event = getattr(message.message, kind)
            told.append((kind, event.job_id, event.created.ToNanoseconds() / 1e9 - YEAR_2030))
            left -= kind in ("succeeded", "failed", "cancelled")
            if not left:
                return told
    raise AssertionError("the stream has ended before the jobs")


def test_a_job_of_a_day_takes_no_time() -> None:
    told = run(life(item(duration=str(DAY))))

    assert [kind for kind, _, _ in told] == ["submitted", "queued", "leased", "pending", "running", "succeeded"]
    assert told[-1][2] - told[-2][2] == pytest.approx(DAY, abs=1)


def test_a_life_can_be_repeated_from_its_seed() -> None:
    jobs = [item(duration="1-1000"), item(), item(end="oom")]

    assert run(life(*jobs), seed=3) == run(life(*jobs), seed=3)
    assert run(life(*jobs), seed=3) != run(life(*jobs), seed=4)


def test_a_call_that_is_refused_raises_its_status() -> None:
    async def ask() -> None:
        async with InMemoryArmada() as armada:
            get = methods.QueueService.GET_QUEUE
            await armada.unary(get, get.request(name="nope"))

    with pytest.raises(Refused, match="NOT_FOUND"):
        run(ask())


def test_a_cancelled_call_is_published_late_all_the_same() -> None:
    async def submit_while_the_bus_is_away() -> int:
        async with InMemoryArmada() as armada:
            armada.engine.queues.put(submit_pb2.Queue(name="q", priority_factor=1.0))
            armada.faults.bus_away = True
            submit = methods.Submit.SUBMIT_JOBS
            call = armada.unary(submit, submit.request(queue="q", job_set_id="s", job_request_items=[item()]))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 10)
            assert not armada.engine.store.jobs
            armada.faults.bus_away = False
            return len(armada.engine.store.jobs)

    assert run(submit_while_the_bus_is_away()) == 1
