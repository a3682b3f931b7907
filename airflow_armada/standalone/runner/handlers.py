"""What probes and lifecycle hooks do: run a command in the container, or ask one of its ports."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from typing import Any

import grpc.aio

from airflow_armada.api.core_v1_pb2 import Container, HTTPGetAction
from airflow_armada.api.intstr_pb2 import IntOrString
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.container_log import ContainerLog
from airflow_armada.standalone.runner.environment import ADDRESS, CannotStart
from airflow_armada.standalone.runner.processes import Processes

OUTPUT = 4096
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
KINDS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


class Handler:
    """A handler of one container.

    :param spec: a ``ProbeHandler`` or a ``LifecycleHandler``
    :param what: what it is, for people
    :raises CannotStart: it does nothing, or names a port that there is not
    """

    def __init__(
        self, spec: Any, what: str, container: RunningContainer, processes: Processes, provided: Provided
    ) -> None:
        self._container = container
        self._processes = processes
        self._provided = provided
        kinds = [field.name for field, _ in spec.ListFields()]
        if len(kinds) != 1 or kinds[0] not in KINDS:
            raise CannotStart(f"container {container.name}: {what} must have exactly one of {', '.join(KINDS)}")
        self._kind = kinds[0]
        self._action = getattr(spec, self._kind)
        self._port = 0 if self._kind in ("exec", "sleep") else self._port_of(self._action.port, what)

    def _port_of(self, port: IntOrString | int, what: str) -> int:
        if isinstance(port, int):
            return port
        if not port.strVal:
            return port.intVal
        ports = {one.name: one.containerPort for one in self._container.spec.ports}
        if port.strVal not in ports:
            raise CannotStart(
                f"container {self._container.name}: {what} names the port {port.strVal!r}, which it has not"
            )
        return ports[port.strVal]

    async def perform(self, seconds: float) -> bool:
        """Do it once.

        :param seconds: how long it may take
        :return: whether it succeeded
        """
        with contextlib.suppress(TimeoutError, OSError, grpc.RpcError, CannotStart):
            return await asyncio.wait_for(self._perform(), seconds)
        return False

    async def _perform(self) -> bool:
        if self._kind == "exec":
            return await self._execute()
        if self._kind == "sleep":
            await asyncio.sleep(self._action.seconds)
            return True
        if self._kind == "httpGet":
            return await self._get(self._action)
        if self._kind == "grpc":
            return await self._check_health(self._action.service.encode())
        _, writer = await asyncio.open_connection(self._action.host or ADDRESS, self._port)
        writer.close()
        return True

    async def _execute(self) -> bool:
        spec = Container()
        spec.CopyFrom(self._container.spec)
        del spec.command[:], spec.args[:]
        spec.command.extend(self._action.command)
        process = self._container.beside(spec, ContainerLog(OUTPUT), self._provided)
        try:
            return (await process.run(self._processes, asyncio.Event())).exit_code == 0
        finally:
            process.signal(self._processes, signal.SIGKILL)

    async def _get(self, action: HTTPGetAction) -> bool:
        host = action.host or ADDRESS
        tls = ssl._create_unverified_context() if action.scheme == "HTTPS" else None
        reader, writer = await asyncio.open_connection(host, self._port, ssl=tls)
        try:
            path = action.path if action.path.startswith("/") else f"/{action.path}"
            headers = {"Host": host, **{header.name: header.value for header in action.httpHeaders}}
            lines = [f"GET {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
            writer.write("\r\n".join(lines).encode())
            status = (await reader.readline()).split()
        finally:
            writer.close()
        return len(status) > 1 and b"200" <= status[1] < b"400"

    async def _check_health(self, service: bytes) -> bool:
        """Ask the health service of gRPC; its two messages have one field each."""
        async with grpc.aio.insecure_channel(f"{ADDRESS}:{self._port}") as channel:
            request = b"\x0a" + bytes([len(service)]) + service if service else b""
            check: Any = channel.unary_unary(HEALTH_CHECK)
            return bool(await check(request) == SERVING)
