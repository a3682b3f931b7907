"""An embedded Armada without sockets, threads or processes: calls are answered on the caller's event loop.

For simulations: with a clock of one's own (:func:`airflow_armada.standalone.clock.use`), a loop that goes by it, and
:data:`airflow_armada.standalone.ids.random_bytes` set, everything that happens is repeatable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any

from airflow_armada.api.methods import Method
from airflow_armada.standalone.auth import Authenticator, Credentials
from airflow_armada.standalone.config import Config, Simulation
from airflow_armada.standalone.faults import Faults
from airflow_armada.standalone.runner.simulation import SimulatedPods
from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.services.access import Access
from airflow_armada.standalone.services.dispatch import Dispatcher
from airflow_armada.standalone.services.table import routes


class InMemoryArmada:
    """Use it as an asynchronous context manager; its pods are simulated.

    :param config: the settings; ``config.simulation`` says how pods behave
    :ivar engine: what moves the jobs: queues, events, jobs
    :ivar faults: what it does wrong at present
    """

    def __init__(self, config: Config | None = None, credentials: Credentials | None = None) -> None:
        config = config or Config()
        self.faults = Faults()
        self.engine = Engine(config, SimulatedPods(config, config.simulation or Simulation()), self.faults)
        authenticator = Authenticator(credentials or Credentials(anonymous=True))
        self._dispatcher = Dispatcher(authenticator, self.faults)
        self._routes = routes(Access(self.engine, authenticator, self.faults))
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> InMemoryArmada:
        self.faults.listen(self._faults_changed)
        self._work = asyncio.create_task(self.engine.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    def _faults_changed(self) -> None:
        self.engine.events.wake_all()
        self.engine.bus.look_again()

    async def unary(self, method: Method[Any, Any], request: Any, metadata: Mapping[str, str] | None = None) -> Any:
        """Answer a unary call.

        A call whose caller gives up is cancelled, as gRPC does it.

        :param request: a message, copied on the way
        :param metadata: ``authorization`` and ``x-request-id``, if there are any
        :raises Refused: the call ends with a status other than OK
        """
        content = request.SerializeToString()
        answer = await self._dispatcher.unary(method, self._routes[method], content, metadata or {})
        return method.decode(answer.SerializeToString())

    async def stream(
        self, method: Method[Any, Any], request: Any, metadata: Mapping[str, str] | None = None
    ) -> AsyncIterator[Any]:
        """Answer a streaming call, message by message.

        :raises Refused: the stream ends with a status other than OK
        """
        content = request.SerializeToString()
        async for message in self._dispatcher.stream(method, self._routes[method], content, metadata or {}):
            yield method.decode(message if isinstance(message, bytes) else message.SerializeToString())
