"""One deadline for a whole HTTP request: connecting, a proxy, TLS, headers and body, however slowly they drip in."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPHandler, HTTPSHandler

if TYPE_CHECKING:
    import ssl


class Deadline:
    """
    Ends the connections that were made within it when its time has come; a context manager.

    A socket's own timeout starts anew with every byte.

    :param seconds: from entering the context
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._end = time.monotonic() + self.seconds
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()

    def handlers(self, context: ssl.SSLContext | None) -> list[Any]:
        """Return handlers for an opener of ``urllib.request`` that keep to the deadline."""
        connect = self._connect

        class Plain(http.client.HTTPConnection):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self._create_connection = connect

        class Encrypted(http.client.HTTPSConnection):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self._create_connection = connect

        class Http(HTTPHandler):
            def http_open(self, request: Any) -> Any:
                return self.do_open(Plain, request)

        class Https(HTTPSHandler):
            def https_open(self, request: Any) -> Any:
                return self.do_open(Encrypted, request, context=context)

        return [Http(), Https(context=context)] if context else [Http()]

    def _connect(self, address: tuple[str, int], timeout: Any = None, source_address: Any = None) -> socket.socket:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection = socket.create_connection(address, left, source_address)
        # A copy of the descriptor, since TLS takes the socket itself over.
        with self._lock:
            self._connections.append(connection.dup())
        if self.passed:
            self._pass()
        return connection

    def _pass(self) -> None:
        self.passed = True
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
