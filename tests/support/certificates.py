"""Certificates for one test, and a proxy that ends TLS in front of a plain server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass
class Certificates:
    """A certificate authority, and a folder for files."""

    authority: trustme.CA
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        """Make an authority whose certificate is at ``ca_file``."""
        certificates = cls(trustme.CA(), folder)
        certificates.authority.cert_pem.write_to_path(str(certificates.ca_file))
        return certificates

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Return the server side of TLS with a certificate for some names."""
        past = datetime.now(UTC) - timedelta(days=1)
        issued = self.authority.issue_cert(*names, **({"not_after": past} if expired else {}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        context.set_alpn_protocols(["h2"])
        return context

    def client(self) -> tuple[Path, Path]:
        """Return the files of a client certificate and its key."""
        return self.files("client@example.org")

    def files(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for a name and of its key."""
        issued = self.authority.issue_cert(name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def wants_client(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Make a server side ask for a client certificate of this authority."""
        context.verify_mode = ssl.CERT_REQUIRED
        self.authority.configure_trust(context)
        return context


@contextmanager
def tls_proxy(target: str, context: ssl.SSLContext, port: int = 0) -> Iterator[str]:
    """
    End TLS in front of a plain server.

    :param target: ``host:port`` of the server
    :param port: where to listen; any free port without it
    :return: a context manager that gives the ``localhost:port`` of the proxy
    """
    loop = asyncio.new_event_loop()
    host, _, server_port = target.rpartition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        there_reader, there_writer = await asyncio.open_connection(host, int(server_port))
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        except asyncio.CancelledError:
            # The end of the proxy is the end of its connections; asyncio's streams log a task that was cancelled.
            for side in (writer, there_writer):
                side.transport.abort()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", port, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server, tasks), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _stop(server: asyncio.Server, tasks: set[asyncio.Task[None]]) -> None:
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
