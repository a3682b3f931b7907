"""What the parts of taking an event cost by themselves, without gRPC: where the time of ``watch`` goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from airflow_armada.api import event_pb2
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import shared_site
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import NEW, JobProgress
from airflow_armada.follow.stream.slim_events import SlimEvent
from benchmarks import synthetic
from benchmarks.children import answer
from benchmarks.loopwatch import until
from benchmarks.measures.watch import Silent

Opened = tuple[str, Any, str]


def _cost(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    begun = time.thread_time()
    for item in items:
        work(item)
    return (time.thread_time() - begun) / len(items) * 1e6


def _open(message: Any) -> Opened:
    kind = message.message.WhichOneof("events")
    event = getattr(message.message, kind)
    return kind, event, event.job_id


async def _followed(events: Sequence[Opened], jobs: int) -> float:
    """Let followers say what events change; their server is nowhere, and nobody is asked."""
    options, now = FollowOptions(get_logs=False), time.time()
    async with shared_site(SiteSettings("127.0.0.1:9", tls=None)) as site:
        wanted = [
            FollowedJob(JobRef(synthetic.QUEUE, "parts", synthetic.job_id(number)), now) for number in range(jobs)
        ]
        followers = [asyncio.create_task(follow(site, job, Silent(), options)) for job in wanted]
        await until(lambda: site.watches and len(next(iter(site.watches.values())).jobs) == jobs, 60)
        tracked = next(iter(site.watches.values())).jobs

        def take(opened: Opened) -> None:
            kind, event, job = opened
            if tracked[job].fold(kind, event):
                tracked[job].wake()

        cost = _cost(take, events)
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return cost


def run(events: int, jobs: int) -> dict[str, float]:
    """Take events of a stream apart.

    :param events: how many
    :param jobs: of how many jobs, one event of each in turn, so that no cache helps
    """
    now = time.time()
    bodies = islice(synthetic.lives([synthetic.job_id(number) for number in range(jobs)], "parts", now), events)
    payloads = [synthetic.stream_message(synthetic.message_id(int(now * 1000)), body) for body in bodies]
    states: dict[str, JobProgress] = {}

    def take(opened: Opened) -> None:
        kind, event, job = opened
        states[job] = fold(states.get(job, NEW), kind, event)

    slim = [SlimEvent.FromString(payload) for payload in payloads]
    opened = [_open(message) for message in slim]
    return {
        "parsed in full": _cost(event_pb2.EventStreamMessage.FromString, payloads),
        "parsed slim": _cost(SlimEvent.FromString, payloads),
        "opened: kind, event, job id": _cost(_open, slim),
        "folded into the state of its job": _cost(take, opened),
        "folded, and said by the follower": asyncio.run(_followed(opened, jobs)),
    }


if __name__ == "__main__":
    answer(run)
