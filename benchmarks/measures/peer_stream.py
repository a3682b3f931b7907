"""The event stream of ``armada-client`` on the replay server, read as its documentation does."""

from __future__ import annotations

import asyncio
import time

import grpc
import grpc.aio
from armada_client.asyncio_client import ArmadaAsyncIOClient
from armada_client.client import ArmadaClient

from benchmarks.children import answer


def _sync(target: str, events: int) -> int:
    client, received = ArmadaClient(grpc.insecure_channel(target)), 0
    for message in client.get_job_events_stream("bench", "replay"):
        client.unmarshal_event_response(message)
        received += 1
        if received >= events:
            break
    return received


async def _aio(target: str, events: int) -> int:
    client, received = ArmadaAsyncIOClient(grpc.aio.insecure_channel(target)), 0
    async for message in await client.get_job_events_stream("bench", "replay"):
        client.unmarshal_event_response(message)
        received += 1
        if received >= events:
            break
    return received


def run(target: str, events: int, loop: str) -> dict[str, float]:
    """Read so many events with the client's ``sync`` or ``aio`` stream."""
    wall, cpu = time.perf_counter(), time.process_time()
    received = _sync(target, events) if loop == "sync" else asyncio.run(_aio(target, events))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"events": received, "wall": wall, "cpu": cpu, "us_per_event": cpu / received * 1e6, "rate": received / wall}


if __name__ == "__main__":
    answer(run)
