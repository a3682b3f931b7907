"""A small web server of this machine that answers as a test says, with or without TLS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.certificates import Certificates


@dataclass
class Request:
    """
    What a client sent.

    :param path: with the query
    :param headers: names in lower case
    """

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class WebServer(ThreadingHTTPServer):
    """Remembers what it was asked; see :func:`web_server`."""

    daemon_threads = True
    url = ""
    requests: list[Request]


@contextmanager
def web_server(
    answer: Callable[[Request, BaseHTTPRequestHandler], Any], certificates: Certificates | None = None
) -> Iterator[WebServer]:
    """
    Run a server.

    :param answer: answers a request by means of the handler
    :param certificates: with them it speaks TLS
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            server.requests.append(request)
            answer(request, self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    server = WebServer(("127.0.0.1", 0), Handler)
    server.requests = []
    server.url = f"{'https' if certificates else 'http'}://localhost:{server.server_port}"
    if certificates:
        context = certificates.server("localhost")
        context.set_alpn_protocols(["http/1.1"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: str | bytes = b"", **headers: str) -> None:
    """Send a whole answer."""
    content = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)
