"""Attaching credentials to every call of a channel, and noticing when the server refuses them.

gRPC's own call credentials cannot ride a plain-text channel, so these are interceptors. A unary call that is refused
is tried once more if the credentials say that they may have changed; a stream is only taken note of, because whoever
reads it opens it again anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import grpc.aio

from airflow_armada.client.auth import own_thread
from airflow_armada.client.auth.credentials import Anonymous, Credentials

HEADER = "authorization"


def interceptors(credentials: Credentials) -> list[Any]:
    """Return the interceptors that a sync channel needs for some credentials."""
    if isinstance(credentials, Anonymous):
        return []
    return [AuthorizeUnary(credentials), AuthorizeStream(credentials)]


def aio_interceptors(credentials: Credentials) -> list[grpc.aio.ClientInterceptor]:
    """Return the interceptors that an asyncio channel needs for some credentials."""
    if isinstance(credentials, Anonymous):
        return []
    return [AioAuthorizeUnary(credentials), AioAuthorizeStream(credentials)]


class _Details(NamedTuple):
    """The call details of a sync call, which grpc wants as an object of its caller's own making."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


def _with_header(details: Any, authorization: str) -> _Details:
    metadata = [*(details.metadata or ())]
    if authorization:
        metadata.append((HEADER, authorization))
    return _Details(
        details.method,
        details.timeout,
        metadata,
        details.credentials,
        details.wait_for_ready,
        details.compression,
    )


class AuthorizeUnary(grpc.UnaryUnaryClientInterceptor):
    """Puts the authorization header on unary calls of a sync channel; a refused one is tried once more."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        authorization = self._credentials.authorization()
        call = continuation(_with_header(client_call_details, authorization), request)
        if call.code() is not grpc.StatusCode.UNAUTHENTICATED or not self._credentials.refused(authorization):
            return call
        return continuation(_with_header(client_call_details, self._credentials.authorization()), request)


class AuthorizeStream(grpc.UnaryStreamClientInterceptor):
    """Puts the authorization header on streams of a sync channel."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        authorization = self._credentials.authorization()
        call = continuation(_with_header(client_call_details, authorization), request)
        call.add_callback(lambda: self._ended(call, authorization))
        return call

    def _ended(self, call: Any, authorization: str) -> None:
        # On a thread of gRPC's that serves other calls, too.
        if call.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._credentials.note_refused(authorization)


async def _authorization(credentials: Credentials) -> str:
    """Return the header without blocking the event loop, nor a thread that others need."""
    header = credentials.at_hand()
    if header is not None:
        return header
    return await own_thread.run(
        ("authorization", credentials), credentials.authorization, credentials.longest_fetch() + 1.0
    )


async def _refused(credentials: Credentials, authorization: str) -> bool:
    if not credentials.blocking:
        return credentials.refused(authorization)
    return await own_thread.run(
        ("refused", credentials, authorization),
        lambda: credentials.refused(authorization),
        credentials.longest_fetch(),
    )


def _aio_with_header(details: grpc.aio.ClientCallDetails, authorization: str) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if authorization:
        metadata.add(HEADER, authorization)
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


class AioAuthorizeUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """Puts the authorization header on unary calls of an asyncio channel; a refused one is tried once more."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        credentials = self._credentials
        authorization = await _authorization(credentials)
        call = await continuation(_aio_with_header(client_call_details, authorization), request)
        if await call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return call
        if not await _refused(credentials, authorization):
            return call
        authorization = await _authorization(credentials)
        return await continuation(_aio_with_header(client_call_details, authorization), request)


class AioAuthorizeStream(grpc.aio.UnaryStreamClientInterceptor):
    """Puts the authorization header on streams of an asyncio channel."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._endings: set[asyncio.Task[None]] = set()

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        credentials = self._credentials
        authorization = await _authorization(credentials)
        call = await continuation(_aio_with_header(client_call_details, authorization), request)
        call.add_done_callback(lambda ended: self._note(ended, authorization))
        return call

    def _note(self, call: Any, authorization: str) -> None:
        task = asyncio.get_running_loop().create_task(self._ended(call, authorization))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _ended(self, call: Any, authorization: str) -> None:
        if await call.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._credentials.note_refused(authorization)
