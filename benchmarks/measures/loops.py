"""Bare receive loops: the best that grpc can do in Python, with nothing behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from airflow_armada.api import event_pb2
from airflow_armada.api.methods import Event
from benchmarks.children import answer
from benchmarks.servers.replay_server import JOB_SET
from benchmarks.synthetic import QUEUE

LOOPS = ("sync raw", "sync parsed", "aio raw", "aio parsed", "aio slim", "aio read parsed")


def _parser(parse: str) -> Callable[[bytes], Any] | None:
    if parse == "raw":
        return None
    if parse == "slim":
        from airflow_armada.follow.events import SlimEvent

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


def _sync(target: str, parse: str) -> int:
    received = 0
    with grpc.insecure_channel(target) as channel:
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


def run(target: str, loop: str) -> dict[str, float]:
    """Read one stream to its end.

    :param target: the replay server
    :param loop: one of :data:`LOOPS`
    """
    words = loop.split()
    _parser(words[-1])
    wall, cpu = time.perf_counter(), time.process_time()
    received = _sync(target, words[-1]) if words[0] == "sync" else _run_aio(target, words)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"events": received, "wall": wall, "cpu": cpu, "us_per_event": cpu / received * 1e6, "rate": received / wall}


if __name__ == "__main__":
    answer(run)
