"""Bare receive loops: the best that grpc can do in Python, with nothing behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from grpc.experimental import ChannelOptions

from airflow_armada.api import event_pb2
from airflow_armada.api.methods import Event
from benchmarks.children import answer
from benchmarks.servers.replay_server import JOB_SET
from benchmarks.synthetic import QUEUE

LOOPS = ("sync raw", "sync parsed", "sync slim", "aio raw", "aio parsed", "aio slim", "aio read parsed")
EXPERIMENTAL = ("sync alone raw", "sync alone slim")
"""With grpc's experimental ``SingleThreadedUnaryStream``: the thread that iterates also polls, so that no other thread
hands the messages over. It takes a thread for each stream, blocks it, and is not offered for asyncio."""


def _parser(parse: str) -> Callable[[bytes], Any] | None:
    if parse == "raw":
        return None
    if parse == "slim":
        from airflow_armada.follow.stream.slim_events import SlimEvent

        parser: Callable[[bytes], Any] = SlimEvent.FromString
        return parser
    return event_pb2.EventStreamMessage.FromString


def _call(channel: Any, parse: str) -> Any:
    request = event_pb2.JobSetRequest(id=JOB_SET, queue=QUEUE, watch=False)
    return channel.unary_stream(
        Event.GET_JOB_SET_EVENTS.path,
        request_serializer=event_pb2.JobSetRequest.SerializeToString,
        response_deserializer=_parser(parse),
    )(request)


def _sync(target: str, parse: str, alone: bool) -> int:
    received = 0
    options = [(ChannelOptions.SingleThreadedUnaryStream, 1)] if alone else []
    with grpc.insecure_channel(target, options=options) as channel:
        for _ in _call(channel, parse):
            received += 1
    return received


async def _aio(target: str, parse: str, read: bool) -> int:
    received = 0
    async with grpc.aio.insecure_channel(target) as channel:
        call = _call(channel, parse)
        if read:
            while await call.read() is not grpc.aio.EOF:
                received += 1
        else:
            async for _ in call:
                received += 1
    return received


def _run_aio(target: str, words: list[str]) -> int:
    return asyncio.run(_aio(target, words[-1], "read" in words))


def costs(events: int, wall: float, cpu: float, own: float) -> dict[str, float]:
    """Return what events cost: in all threads, in the one that takes them, and how many pass in a second."""
    micro = 1e6 / events
    return {"events": events, "us_per_event": cpu * micro, "us_in_thread": own * micro, "rate": events / wall}


def run(target: str, loop: str) -> dict[str, float]:
    """Read one stream to its end.

    :param target: the replay server
    :param loop: one of :data:`LOOPS` or :data:`EXPERIMENTAL`
    """
    words = loop.split()
    parse = words[-1]
    _parser(parse)
    wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    received = _sync(target, parse, "alone" in words) if words[0] == "sync" else _run_aio(target, words)
    wall, cpu, own = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - own
    return {"wall": wall, "cpu": cpu, **costs(received, wall, cpu, own)}


if __name__ == "__main__":
    answer(run)
