"""Events on their way to the streams: gathered while the engine works, stored once a turn, in order per job set."""

from __future__ import annotations

from airflow_armada.api.event_pb2 import EventMessage
from airflow_armada.standalone.store.event_log import EventStore


class Outbox:
    """Gathers events.

    :param store: where :meth:`flush` puts them
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._pending: dict[tuple[str, str], list[EventMessage]] = {}

    def put(self, queue: str, job_set_id: str, *messages: EventMessage) -> None:
        """Add events of one job set."""
        self._pending.setdefault((queue, job_set_id), []).extend(messages)

    def flush(self) -> None:
        """Store everything gathered."""
        pending, self._pending = self._pending, {}
        for (queue, job_set_id), messages in pending.items():
            self._store.append(queue, job_set_id, messages)
