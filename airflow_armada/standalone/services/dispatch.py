"""From gRPC calls to handlers: counting, faults, authentication, and statuses for errors."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from airflow_armada.api.methods import SERVICES, Method, methods_of
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.auth import Authenticator
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.services.access import Caller
from airflow_armada.standalone.services.quantities import MALFORMED, has_malformed_quantity
from airflow_armada.standalone.services.routes import Handler, Routes

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


class Dispatcher:
    """Calls the handlers.

    :ivar calls: how often each method was called, by its path
    :ivar open_streams: how many streams are open, by the method's path
    """

    def __init__(self, authenticator: Authenticator, faults: Faults) -> None:
        self.calls: Counter[str] = Counter()
        self.open_streams: Counter[str] = Counter()
        self._authenticator = authenticator
        self._faults = faults

    def generic_handlers(self, routes: Routes) -> list[grpc.GenericRpcHandler]:
        """Return what a gRPC server needs to serve the methods of the API; those without a route are UNIMPLEMENTED."""
        known = [
            grpc.method_handlers_generic_handler(
                service,
                {one.name: self._method_handler(one, routes[one]) for one in methods_of(entries) if one in routes},
            )
            for service, entries in SERVICES.items()
        ]
        return [*known, UnknownMethods()]

    def _method_handler(self, method: Method[Any, Any], handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
        # Without a deserializer: what cannot be read is then answered in Armada's way.
        if method.streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, handler), None, _serialize)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, handler), None, _serialize)

    def _unary(self, method: Method[Any, Any], handler: Handler) -> Any:
        async def call(content: bytes, context: Context) -> Any:
            request_id = _request_id(context)
            try:
                request = _parse(method, content)
                caller = self._admit(method, context, request_id)
                await self._delay(method)
                answer = handler(request, caller)
                if inspect.isawaitable(answer):
                    answer = await answer
                self._lose(method)
                return answer
            except ApiError as error:
                await context.abort(error.code, error.details(request_id))
            except Exception as error:
                await _abort_internal(context, method, error)

        return call

    def _stream(self, method: Method[Any, Any], handler: Handler) -> Any:
        async def call(content: bytes, context: Context) -> AsyncIterator[Any]:
            request_id = _request_id(context)
            self.open_streams[method.path] += 1
            try:
                request = _parse(method, content)
                async for message in handler(request, self._admit(method, context, request_id)):
                    yield message
            except ApiError as error:
                await context.abort(error.code, error.details(request_id))
            finally:
                self.open_streams[method.path] -= 1

        return call

    def _admit(self, method: Method[Any, Any], context: Context, request_id: str) -> Caller:
        """Count a call and find out who makes it.

        :raises ApiError: the call is refused
        """
        self.calls[method.path] += 1
        refusal = self._faults.refusal(method.path)
        if refusal is not None:
            raise ApiError(*refusal)
        authorization = _metadata(context, "authorization")
        if self._faults.token_expired(authorization):
            raise ApiError(grpc.StatusCode.UNAUTHENTICATED, "Request could not be authenticated: token is expired")
        return Caller(self._authenticator.authenticate(authorization), request_id)

    async def _delay(self, method: Method[Any, Any]) -> None:
        delay = self._faults.answer_delay
        if method.path.startswith("/api.Jobs/"):
            delay += self._faults.query_delay
        if delay > 0:
            await asyncio.sleep(delay)

    def _lose(self, method: Method[Any, Any]) -> None:
        loss = self._faults.loss(method.path)
        if loss is not None:
            raise ApiError(*loss)


def _parse(method: Method[Any, Any], content: bytes) -> Any:
    """Read a request as grpc-go does: one that cannot be read, or holds a malformed quantity anywhere, is INTERNAL.

    :raises ApiError: INTERNAL
    """
    try:
        request = method.request.FromString(content)
    except DecodeError as error:
        raise ApiError(grpc.StatusCode.INTERNAL, f"grpc: error unmarshalling request: {error}") from None
    if has_malformed_quantity(request):
        raise ApiError(grpc.StatusCode.INTERNAL, f"grpc: error unmarshalling request: {MALFORMED}")
    return request


class UnknownMethods(grpc.GenericRpcHandler):
    """Answers calls of methods that there are not in the words of grpc-go."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        service, _, name = handler_call_details.method.lstrip("/").rpartition("/")
        known = service in SERVICES
        text = f"unknown method {name} for service {service}" if known else f"unknown service {service}"

        async def refuse(_: bytes, context: Context) -> Any:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

        return grpc.unary_unary_rpc_method_handler(refuse)


async def _abort_internal(context: Context, method: Method[Any, Any], error: Exception) -> None:
    """Answer as Armada does when a handler panics."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    log.error("%s failed", method.path, exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, f"Internal server error caused by {error!r}")


def _serialize(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _metadata(context: Context, key: str) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return ""


def _request_id(context: Context) -> str:
    return _metadata(context, "x-request-id") or uuid.uuid4().hex[:22]
