"""What happens to a container while it runs and when it is told to end: its probes and its lifecycle hooks.

Readiness probes are not asked: Armada tells that a pod runs when its containers have been started.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable

from airflow_armada.api.core_v1_pb2 import Probe
from airflow_armada.standalone.config import Provided
from airflow_armada.standalone.runner.container import RunningContainer
from airflow_armada.standalone.runner.environment import CannotStart
from airflow_armada.standalone.runner.handlers import Handler
from airflow_armada.standalone.runner.processes import Processes

# Kubernetes leaves a container this long after its preStop hook, however long that took.
LEAST_GRACE = 2.0


class Lifecycle:
    """The probes and hooks of one container.

    :param grace: seconds between SIGTERM and SIGKILL, where a probe has no time of its own
    :raises CannotStart: one of them cannot be made here
    """

    def __init__(self, container: RunningContainer, processes: Processes, provided: Provided, grace: float) -> None:
        self._container = container
        self._processes = processes
        self._grace = grace
        spec = container.spec

        def handler(of: object, what: str) -> Handler:
            return Handler(of, what, container, processes, provided)

        hooks = spec.lifecycle
        self._after_start = handler(hooks.postStart, "postStart") if hooks.HasField("postStart") else None
        self._before_stop = handler(hooks.preStop, "preStop") if hooks.HasField("preStop") else None
        self._startup = _Asked(spec.startupProbe, handler) if spec.HasField("startupProbe") else None
        self._liveness = _Asked(spec.livenessProbe, handler) if spec.HasField("livenessProbe") else None

    async def start_up(self) -> None:
        """Wait until the startup probe succeeds, if there is one.

        :raises CannotStart: it has failed as often as it may
        """
        if self._startup and not await self._startup.succeeds():
            raise CannotStart(
                f"container {self._container.name}: its startup probe has failed {self._startup.most} times"
            )

    async def watch(self, *, started_up: bool = False) -> None:
        """Ask the container for as long as it runs, and end it when it does not answer as it should.

        :param started_up: whether the startup probe has been waited for
        """
        await self._container.running.wait()
        if self._after_start and not await self._after_start.perform(float("inf")):
            await self.stop(self._grace)
            return
        if self._startup and not started_up and not await self._startup.succeeds():
            await self.stop(self._startup.grace or self._grace)
            return
        if self._liveness:
            await self._liveness.fails()
            await self.stop(self._liveness.grace or self._grace)

    async def stop(self, grace: float) -> None:
        """End the container: its preStop hook, SIGTERM, and SIGKILL if it is still there after a time.

        :param grace: seconds from the beginning of the hook to SIGKILL; 0 kills at once
        """
        if grace > 0 and self._container.alive:
            loop = asyncio.get_running_loop()
            end = loop.time() + grace
            if self._before_stop:
                await self._before_stop.perform(grace)
                end = max(end, loop.time() + LEAST_GRACE)
            self._container.signal(self._processes, signal.SIGTERM)
            await self._container.ended(end - loop.time())
        self._container.signal(self._processes, signal.SIGKILL)


class _Asked:
    """A probe that is asked again and again."""

    def __init__(self, probe: Probe, handler: Callable[[object, str], Handler]) -> None:
        self._probe = probe
        self._handler = handler(probe.handler, "a probe")
        self.most = probe.failureThreshold or 3
        self.grace = float(probe.terminationGracePeriodSeconds)

    async def _ask(self) -> bool:
        return await self._handler.perform(self._probe.timeoutSeconds or 1)

    async def succeeds(self) -> bool:
        """Ask until it succeeds, and return False if it has failed too often before."""
        await asyncio.sleep(self._probe.initialDelaySeconds)
        for number in range(self.most):
            if number:
                await asyncio.sleep(self._probe.periodSeconds or 10)
            if await self._ask():
                return True
        return False

    async def fails(self) -> None:
        """Ask until it has failed too often in a row."""
        await asyncio.sleep(self._probe.initialDelaySeconds)
        failures = 0
        for number in itertools.count():
            if number:
                await asyncio.sleep(self._probe.periodSeconds or 10)
            failures = 0 if await self._ask() else failures + 1
            if failures >= self.most:
                return
