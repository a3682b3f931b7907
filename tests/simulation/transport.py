"""Channels without sockets, for blocking code and for asyncio, whose calls fare as the weather wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import grpc

from airflow_armada.api.methods import SERVICES, Method
from airflow_armada.standalone.services.dispatch import Refused
from tests.simulation import blocking

if TYPE_CHECKING:
    from tests.simulation.world import World

METHODS: dict[str, Method[Any, Any]] = {
    method.path: method
    for service in SERVICES.values()
    for method in vars(service).values()
    if isinstance(method, Method)
}


class RpcError(grpc.RpcError):
    """An error as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class _Channel:
    def __init__(self, world: World, target: str) -> None:
        self._world = world
        self._target = target
        self._closed = False
        self._process = blocking.current_process()
        world.channels.append(self)

    @property
    def closed(self) -> bool:
        """Whether it is closed, if only because its process has ended."""
        return self._closed or (self._process is not None and self._process.killed)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        down = self._world.weather.network_is_down
        return grpc.ChannelConnectivity.TRANSIENT_FAILURE if down else grpc.ChannelConnectivity.READY

    async def _unary(self, path: str, request: Any, seconds: float | None) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._world.unary(self._target, METHODS[path], request)
        except TimeoutError:
            raise RpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
        except Refused as error:
            raise RpcError(error.code, error.details) from None


class SyncChannel(_Channel):
    """What ``open_channel`` gives."""

    def __enter__(self) -> SyncChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._closed = True

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Callable[..., Any]:
        def call(request: Any, timeout: float | None = None, **_: Any) -> Any:
            return response_deserializer(blocking.hold(self._unary(path, request, timeout)))

        return call

    def unary_stream(self, path: str, request_serializer: Any, response_deserializer: Any) -> Callable[..., Any]:
        raise NotImplementedError(path)


class AioChannel(_Channel):
    """What ``open_aio_channel`` gives."""

    async def __aenter__(self) -> AioChannel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        self._closed = True

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Callable[..., Any]:
        async def call(request: Any, timeout: float | None = None, **_: Any) -> Any:  # noqa: ASYNC109 (gRPC's name)
            return response_deserializer(await self._unary(path, request, timeout))

        return call

    def unary_stream(self, path: str, request_serializer: Any, response_deserializer: Any) -> Callable[..., Any]:
        def call(request: Any, timeout: float | None = None, **_: Any) -> _Stream:
            messages = self._world.stream(self._target, METHODS[path], request)
            return _Stream(messages, response_deserializer)

        return call


class _Stream:
    """A call that streams: iterated by one task, cancelled by any."""

    def __init__(self, messages: AsyncIterator[bytes], decode: Callable[[bytes], Any]) -> None:
        self._messages = messages
        self._decode = decode
        self._reading: asyncio.Task[Any] | None = None
        self._cancelled = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._cancelled:
            raise asyncio.CancelledError
        self._reading = asyncio.ensure_future(anext(self._messages))
        try:
            return self._decode(await self._reading)
        except Refused as error:
            raise RpcError(error.code, error.details) from None
        finally:
            if not self._reading.done():
                self._reading.cancel()

    def cancel(self) -> bool:
        self._cancelled = True
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
        return True
