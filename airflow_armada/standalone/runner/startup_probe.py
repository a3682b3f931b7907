"""Startup probes: a sidecar that has one counts as started when its probe succeeds, and only then the next one starts.

Other probes are not asked here; docs/standalone.md says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal

from airflow_armada.api.core_v1_pb2 import Container, HTTPGetAction, Probe
from airflow_armada.api.intstr_pb2 import IntOrString
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.container_log import ContainerLog
from airflow_armada.standalone.runner.environment import ADDRESS, CannotStart
from airflow_armada.standalone.runner.processes import Processes

OUTPUT = 4096


class StartupProbe:
    """The startup probe of one container.

    :param container: the container, which has been started
    :param provided: the config maps and secrets that there are
    """

    def __init__(self, container: RunningContainer, processes: Processes, provided: Provided) -> None:
        self._container = container
        self._probe: Probe = container.spec.startupProbe
        self._processes = processes
        self._provided = provided

    async def succeed(self) -> None:
        """Ask until it succeeds.

        :raises CannotStart: it has failed as often as it may, or is of a kind that there is not
        """
        probe, most = self._probe, self._probe.failureThreshold or 3
        await asyncio.sleep(probe.initialDelaySeconds)
        for number in range(most):
            if number:
                await asyncio.sleep(probe.periodSeconds or 10)
            with contextlib.suppress(asyncio.TimeoutError, OSError):
                if await asyncio.wait_for(self._ask(), probe.timeoutSeconds or 1):
                    return
        raise CannotStart(f"container {self._container.name}: its startup probe has failed {most} times")

    async def _ask(self) -> bool:
        handler = self._probe.handler
        if handler.HasField("exec"):
            return await self._execute(list(handler.exec.command))
        if handler.HasField("httpGet"):
            return await self._get(handler.httpGet)
        if handler.HasField("tcpSocket"):
            _, writer = await asyncio.open_connection(ADDRESS, self._port(handler.tcpSocket.port))
            writer.close()
            return True
        raise CannotStart(f"container {self._container.name}: the embedded Armada has no startup probes of this kind")

    async def _execute(self, command: list[str]) -> bool:
        spec = Container()
        spec.CopyFrom(self._container.spec)
        del spec.command[:], spec.args[:]
        spec.command.extend(command)
        process = self._container.beside(spec, ContainerLog(OUTPUT), self._provided)
        try:
            return (await process.run(self._processes, asyncio.Event())).exit_code == 0
        finally:
            process.signal(self._processes, signal.SIGKILL)

    async def _get(self, action: HTTPGetAction) -> bool:
        if action.scheme not in ("", "HTTP"):
            raise CannotStart(f"container {self._container.name}: the embedded Armada probes by HTTP only")
        reader, writer = await asyncio.open_connection(ADDRESS, self._port(action.port))
        try:
            path = action.path if action.path.startswith("/") else f"/{action.path}"
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {ADDRESS}\r\n\r\n".encode())
            status = (await reader.readline()).split()
        finally:
            writer.close()
        return len(status) > 1 and b"200" <= status[1] < b"400"

    def _port(self, port: IntOrString) -> int:
        if not port.strVal:
            return port.intVal
        ports = {one.name: one.containerPort for one in self._container.spec.ports}
        if port.strVal not in ports:
            raise CannotStart(f"container {self._container.name} has no port {port.strVal!r}")
        return ports[port.strVal]
