"""A TCP proxy that can break connections in the ways in which networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator


class FaultProxy:
    """Stands between a client and a server. Everything may be changed while connections are open.

    :param port: the server's port on the loopback address
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.delay = 0.0
        self.accepted = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return len(self._writers) // 2

    async def start(self) -> None:
        """Listen on a free port of the loopback address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End all connections and listen no longer."""
        if self._server:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Reset all open connections."""
        for writer in list(self._writers):
            connection = writer.get_extra_info("socket")
            if connection is not None:
                # Lingering for no time turns the close into a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def black_hole(self) -> None:
        """Let nothing through any more, in either direction, and keep the connections open."""
        self._flowing.clear()

    def refuse(self, refusing: bool = True) -> None:
        """Hang up on new connections at once, or no longer."""
        self._refusing = refusing

    def heal(self) -> None:
        """Let everything through again; what the black hole held back comes first."""
        self._refusing = False
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._pump(reader, upstream_writer)
        self._pump(upstream_reader, writer)

    def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.create_task(self._copy(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


@contextlib.asynccontextmanager
async def fault_proxy(port: int) -> AsyncIterator[FaultProxy]:
    """Run a proxy in front of a port for the length of a test."""
    proxy = FaultProxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
