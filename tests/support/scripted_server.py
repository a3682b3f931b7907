"""A gRPC server that answers each method as a test tells it to, for what a well-behaved server never does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from airflow_armada.api.methods import SERVICES, Method, methods_of

Answer = Callable[[Any, grpc.ServicerContext], Any]


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    request: Any
    metadata: dict[str, Any]
    time_remaining: float


@dataclass
class ScriptedServer:
    """Runs in threads of its own. ``answers`` maps method names to functions of request and context.

    A streaming method's function returns an iterable. Methods without a function are UNIMPLEMENTED.
    """

    credentials: grpc.ServerCredentials | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._server: grpc.Server | None = None
        self._changed = threading.Condition()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to serve; after a stop, at the same port as before."""
        server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        for service, methods in SERVICES.items():
            handlers = {method.name: self._handler(method) for method in methods_of(methods)}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        address = f"127.0.0.1:{self.port}"
        if self.credentials:
            self.port = server.add_secure_port(address, self.credentials)
        else:
            self.port = server.add_insecure_port(address)
        server.start()
        self._server = server

    def stop(self) -> None:
        """Stop at once: open calls break."""
        if self._server is not None:
            self._server.stop(grace=None).wait(10)
            self._server = None

    def requests(self, method: str) -> list[Any]:
        return [one.request for one in self.received if one.method == method]

    def wait_for(self, method: str, count: int, timeout: float = 20.0) -> None:
        """Wait until a method has been called so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests(method)) >= count, timeout), self.received

    def _handler(self, method: Method[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        make = grpc.unary_stream_rpc_method_handler if method.streaming else grpc.unary_unary_rpc_method_handler
        serve = self._stream(method) if method.streaming else self._unary(method)
        return make(serve, method.request.FromString, _serialize)

    def _unary(self, method: Method[Any, Any]) -> Answer:
        return lambda request, context: self._answer(method, request, context)

    def _stream(self, method: Method[Any, Any]) -> Answer:
        def serve(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            yield from self._answer(method, request, context)

        return serve

    def _answer(self, method: Method[Any, Any], request: Any, context: grpc.ServicerContext) -> Any:
        metadata = dict(context.invocation_metadata())
        with self._changed:
            self.received.append(Received(method.name, request, metadata, context.time_remaining() or 0.0))
            self._changed.notify_all()
        if method.name not in self.answers:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no answer for {method.name}")
        return self.answers[method.name](request, context)


@contextmanager
def scripted_server(**answers: Answer) -> Iterator[ScriptedServer]:
    """Run a server with answers by method name."""
    server = ScriptedServer(answers=dict(answers))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def in_turn(*answers: Any) -> Answer:
    """Give one answer after the other, the last one for ever: a message, (code, text) to abort with, or a function."""
    left = list(answers)
    lock = threading.Lock()

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        with lock:
            one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, tuple):
            context.abort(*one)
        return one(request, context) if callable(one) else one

    return answer


def _serialize(answer: Any) -> bytes:
    """Bytes go out as they are, for what no message class would make."""
    return answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())
