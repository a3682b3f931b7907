"""Sends the same event stream to whoever asks, at no cost: prepared HTTP/2 frames, written straight to the socket.

With a server on grpc the server is the slower side, and a receive loop is measured while it waits. This one knows as
much of HTTP/2 as a gRPC client needs, and answers every call with the whole stream: ``python -m ... [EVENTS [JOBS]]``.
On a second port, ``held``, the stream begins only when somebody connects to a third one, ``release``: ten thousand
followers need a moment to be there.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from itertools import islice

from benchmarks import synthetic

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
FRAME_BYTES = 16384
JOB_SET = "replay"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def field(name: bytes, value: bytes) -> bytes:
    """Encode a header field that is neither compressed nor remembered."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


HEAD = b"\x88" + field(b"content-type", b"application/grpc")
TAIL = field(b"grpc-status", b"0")


def stream_bytes(events: int, jobs: int) -> bytes:
    """Return the gRPC messages of a stream in which jobs go through their lives again and again."""
    now = time.time()
    bodies = list(islice(synthetic.lives([synthetic.job_id(n) for n in range(jobs)], JOB_SET, now), events))
    parts = []
    for index in range(events):
        identity = synthetic.message_id(int(now * 1000) + index, 0)
        payload = synthetic.stream_message(identity, bodies[index % len(bodies)])
        parts += [b"\x00", struct.pack(">I", len(payload)), payload]
    return b"".join(parts)


class Connection:
    """One client: reads its frames, and writes streams as fast as flow control allows.

    :param link: the connected socket
    :param content: what every stream consists of
    :param released: is set when the streams may begin
    """

    def __init__(self, link: socket.socket, content: bytes, released: threading.Event) -> None:
        self._link, self._content = link, memoryview(content)
        self._released = released
        self._received = b""
        self._window, self._initial = 65535, 65535
        self._windows: dict[int, int] = {}
        self._positions: dict[int, int] = {}

    def serve(self) -> None:
        """Serve until the client goes away."""
        with self._link, selectors.DefaultSelector() as selector:
            selector.register(self._link, selectors.EVENT_READ)
            self._link.sendall(frame(SETTINGS, 0, 0))
            alive = True
            while alive:
                held = not self._released.is_set()
                busy = not held and self._write_some()
                if selector.select(0 if busy else 0.001 if held else None):
                    alive = self._read()

    def _read(self) -> bool:
        try:
            data = self._link.recv(65536)
        except ConnectionError:
            return False
        self._received += data
        self._received = self._received.removeprefix(PREFACE)
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                break
            kind, flags = self._received[3], self._received[4]
            stream = int.from_bytes(self._received[5:9], "big") & 0x7FFFFFFF
            payload, self._received = self._received[9 : 9 + size], self._received[9 + size :]
            self._take(kind, flags, stream, payload)
        return bool(data)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self._adopt(payload)
            self._link.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._link.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream:
                self._windows[stream] = self._windows.get(stream, self._initial) + more
            else:
                self._window += more
        elif kind == RST_STREAM:
            self._positions.pop(stream, None)
        elif kind in (DATA, HEADERS) and flags & END_STREAM:
            self._windows.setdefault(stream, self._initial)
            self._positions[stream] = 0
            self._link.sendall(frame(HEADERS, END_HEADERS, stream, HEAD))

    def _adopt(self, settings: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", settings):
            if name == INITIAL_WINDOW_SIZE:
                for stream in self._windows:
                    self._windows[stream] += value - self._initial
                self._initial = value

    def _write_some(self) -> bool:
        """Write one frame of each stream; return whether there was anything that could be written."""
        wrote = False
        for stream, position in list(self._positions.items()):
            size = min(FRAME_BYTES, self._window, self._windows[stream], len(self._content) - position)
            if size > 0:
                self._link.sendall(frame(DATA, 0, stream, bytes(self._content[position : position + size])))
                self._window -= size
                self._windows[stream] -= size
                self._positions[stream] = position + size
                wrote = True
            elif position == len(self._content):
                self._link.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, TAIL))
                del self._positions[stream]
        return wrote


def main(events: int = 60_000, jobs: int = 10_000) -> None:
    content = stream_bytes(events, jobs)
    always, released = threading.Event(), threading.Event()
    always.set()
    ports = {
        "port": _serve(lambda link: Connection(link, content, always).serve()),
        "held": _serve(lambda link: Connection(link, content, released).serve(), released.clear),
        "release": _serve(lambda link: link.close(), released.set),
    }
    print(json.dumps({**ports, "events": events, "bytes": len(content)}), flush=True)
    sys.stdin.read()


def _serve(work: Callable[[socket.socket], object], at_once: Callable[[], object] | None = None) -> int:
    """Do some work with every connection to a new port, in a thread; return the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            link, _ = server.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if at_once:
                at_once()
            threading.Thread(target=work, args=(link,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(server.getsockname()[1])


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
