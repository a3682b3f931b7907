"""What the parts of taking an event cost by themselves, without gRPC: where the time of ``watch`` goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from airflow_armada.api import event_pb2
from airflow_armada.follow.events import SlimEvent
from airflow_armada.follow.state import NEW, JobState, fold
from benchmarks import synthetic
from benchmarks.children import answer


def _cost(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    begun = time.thread_time()
    for item in items:
        work(item)
    return (time.thread_time() - begun) / len(items) * 1e6


def _open(message: Any) -> tuple[str, Any, str]:
    kind = message.message.WhichOneof("events")
    event = getattr(message.message, kind)
    return kind, event, event.job_id


def run(events: int, jobs: int) -> dict[str, float]:
    """Take events of a stream apart.

    :param events: how many
    :param jobs: of how many jobs, one event of each in turn, so that no cache helps
    """
    now = time.time()
    bodies = islice(synthetic.lives([synthetic.job_id(number) for number in range(jobs)], "parts", now), events)
    payloads = [synthetic.stream_message(synthetic.message_id(int(now * 1000)), body) for body in bodies]
    states: dict[str, JobState] = {}

    def take(opened: tuple[str, Any, str]) -> None:
        kind, event, job = opened
        states[job] = fold(states.get(job, NEW), kind, event)

    slim = [SlimEvent.FromString(payload) for payload in payloads]
    return {
        "parsed in full": _cost(event_pb2.EventStreamMessage.FromString, payloads),
        "parsed slim": _cost(SlimEvent.FromString, payloads),
        "opened: kind, event, job id": _cost(_open, slim),
        "folded into the state of its job": _cost(take, [_open(message) for message in slim]),
    }


if __name__ == "__main__":
    answer(run)
