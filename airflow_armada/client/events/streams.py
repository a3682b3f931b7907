"""Event streams that outlive their connections, for blocking and for asyncio code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from airflow_armada.api import event_pb2
from airflow_armada.api.methods import Event
from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, from_grpc
from airflow_armada.client.events.requests import StreamRequests
from airflow_armada.client.events.resuming import StreamEnded

_METHOD = Event.GET_JOB_SET_EVENTS


class EventStream(Iterator[event_pb2.EventStreamMessage]):
    """The events of a job set, for ever: iterate over it, and ``cancel`` it from any thread to end the iteration.

    Messages are taken from the connection one by one as they are asked for, so a slow consumer holds the server back
    instead of filling memory.

    :param channel: the channel
    :param requests: where to begin, and what to do when the stream breaks
    """

    def __init__(self, channel: grpc.Channel, requests: StreamRequests) -> None:
        self._open = _METHOD.bind(channel)
        self._requests = requests
        self._call: Any = None
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> event_pb2.EventStreamMessage:
        while not self._cancelled.is_set():
            try:
                message: event_pb2.EventStreamMessage = next(self._current())
            except StopIteration:
                self._broken(None)
            except grpc.RpcError as error:
                self._broken(from_grpc(error, _METHOD.name))
            except CredentialsError as error:
                self._broken(error)
            except ValueError:  # the channel is closed
                if not self._cancelled.is_set():
                    raise
            else:
                self._requests.received(message)
                return message
        raise StopIteration

    def _current(self) -> Any:
        call = self._call
        if call is None:
            request, timeout = self._requests.opening()
            # Outside of the lock: the source of tokens may take its time, and cancel() must not wait for it.
            call = self._open(request, timeout=timeout)
            with self._lock:
                self._call = call
                if self._cancelled.is_set():
                    call.cancel()
        return call

    def _broken(self, error: BaseException | None) -> None:
        with self._lock:
            self._call = None
        if not self._cancelled.is_set():
            try:
                self._cancelled.wait(self._requests.broken(error))
            except StreamEnded:
                self._cancelled.set()

    def cancel(self) -> None:
        """End the stream: the iteration stops, also where another thread waits in it."""
        self._cancelled.set()
        with self._lock:
            if self._call is not None:
                self._call.cancel()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


class AsyncEventStream(AsyncIterator[event_pb2.EventStreamMessage]):
    """The events of a job set, for ever: iterate over it, and ``cancel`` it to end the iteration.

    Cancelling the task that waits in it closes the connection; iterating again resumes after the last message.

    :param channel: the channel; its event loop must be the running one
    :param requests: where to begin, and what to do when the stream breaks
    """

    def __init__(self, channel: grpc.aio.Channel, requests: StreamRequests) -> None:
        self._open = _METHOD.bind(channel)
        self._requests = requests
        self._call: Any = None
        self._loop = asyncio.get_running_loop()
        self._cancelled = asyncio.Event()

    def __aiter__(self) -> AsyncEventStream:
        return self

    async def __anext__(self) -> event_pb2.EventStreamMessage:
        while not self._cancelled.is_set():
            try:
                message = await self._read()
            except grpc.RpcError as error:
                await self._broken(from_grpc(error, _METHOD.name))
            except CredentialsError as error:
                await self._broken(error)
            except asyncio.CancelledError:
                self._close()
                task = asyncio.current_task()
                if not self._cancelled.is_set() or (task is not None and task.cancelling()):
                    raise
            else:
                if message is not None:
                    self._requests.received(message)
                    return message
                await self._broken(None)
        raise StopAsyncIteration

    async def _read(self) -> event_pb2.EventStreamMessage | None:
        if self._call is None:
            request, timeout = self._requests.opening()
            self._call = self._open(request, timeout=timeout)
        message = await self._call.read()
        return None if message is grpc.aio.EOF else message

    async def _broken(self, error: ArmadaRpcError | CredentialsError | None) -> None:
        self._call = None
        if self._cancelled.is_set():
            return
        try:
            pause = self._requests.broken(error)
            await asyncio.wait_for(self._cancelled.wait(), pause)
        except TimeoutError:
            pass
        except StreamEnded:
            self._cancelled.set()

    def _close(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _end(self) -> None:
        self._cancelled.set()
        self._close()

    def cancel(self) -> None:
        """End the stream: the iteration stops. May be called from any thread."""
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            self._end()
        else:
            self._loop.call_soon_threadsafe(self._end)

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
