"""From gRPC calls to handlers: counting, faults, authentication, and statuses for errors."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from airflow_armada.api.methods import SERVICES, Method, methods_of
from airflow_armada.standalone.api_error import ApiError
from airflow_armada.standalone.auth import Authenticator
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.ids import new_uuid
from airflow_armada.standalone.services.access import Caller
from airflow_armada.standalone.services.quantities import MALFORMED, has_malformed_quantity
from airflow_armada.standalone.services.routes import Handler, Routes

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = Mapping[str, str]

_PATHS = frozenset(method.path for service in SERVICES.values() for method in methods_of(service))


class Refused(Exception):
    """A call ends with a status other than OK.

    :param details: the status text, as it goes to the client
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


class CallCounts(Counter[str]):
    """Counts by the full path of a method; asking for anything else is an error, and not zero."""

    def __missing__(self, path: str) -> int:
        if path not in _PATHS:
            raise KeyError(f"{path!r} is no method of Armada, which are named like /api.Submit/SubmitJobs")
        return 0


class Dispatcher:
    """Calls the handlers.

    :ivar calls: how often each method was called, by its path
    :ivar open_streams: how many streams are open, by the method's path
    """

    def __init__(self, authenticator: Authenticator, faults: Faults) -> None:
        self.calls = CallCounts()
        self.open_streams = CallCounts()
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
            try:
                return await self.unary(method, handler, content, _metadata(context))
            except Refused as refused:
                await context.abort(refused.code, refused.details)

        return call

    def _stream(self, method: Method[Any, Any], handler: Handler) -> Any:
        async def call(content: bytes, context: Context) -> AsyncIterator[Any]:
            try:
                async for message in self.stream(method, handler, content, _metadata(context)):
                    yield message
            except Refused as refused:
                await context.abort(refused.code, refused.details)

        return call

    async def unary(self, method: Method[Any, Any], handler: Handler, content: bytes, metadata: Metadata) -> Any:
        """Answer a unary call, however it has come here.

        :param content: the request's bytes
        :return: the response, a message
        :raises Refused: the call ends with a status other than OK
        """
        request_id = metadata.get("x-request-id") or new_uuid()
        try:
            request = _parse(method, content)
            caller = self._admit(method, metadata, request_id)
            await self._delay(method)
            answer = handler(request, caller)
            if inspect.isawaitable(answer):
                answer = await answer
            self._lose(method)
            return answer
        except ApiError as error:
            raise Refused(error.code, error.details(request_id)) from None
        except Exception as error:
            # Armada answers so when a handler panics.
            log.error("%s failed", method.path, exc_info=error)
            text = f"Internal server error caused by {error!r}"
            raise Refused(grpc.StatusCode.INTERNAL, text) from None

    async def stream(
        self, method: Method[Any, Any], handler: Handler, content: bytes, metadata: Metadata
    ) -> AsyncIterator[Any]:
        """Answer a streaming call, however it has come here.

        :param content: the request's bytes
        :return: the responses, each a message or a serialized one
        :raises Refused: the stream ends with a status other than OK
        """
        request_id = metadata.get("x-request-id") or new_uuid()
        self.open_streams[method.path] += 1
        try:
            request = _parse(method, content)
            async for message in handler(request, self._admit(method, metadata, request_id)):
                yield message
        except ApiError as error:
            raise Refused(error.code, error.details(request_id)) from None
        finally:
            self.open_streams[method.path] -= 1

    def _admit(self, method: Method[Any, Any], metadata: Metadata, request_id: str) -> Caller:
        """Count a call and find out who makes it.

        :raises ApiError: the call is refused
        """
        self.calls[method.path] += 1
        refusal = self._faults.refusal(method.path)
        if refusal is not None:
            raise ApiError(*refusal)
        return Caller(self._authenticator.authenticate(metadata.get("authorization", "")), request_id)

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


def _serialize(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _metadata(context: Context) -> Metadata:
    return {
        name: value if isinstance(value, str) else value.decode(errors="replace")
        for name, value in context.invocation_metadata() or ()
        if name in ("authorization", "x-request-id")
    }
