"""Reports of executors that come after the end of their job: they travel separately from what the scheduler says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_armada.api.event_pb2 import EventMessage
from airflow_armada.standalone.store import event_messages

if TYPE_CHECKING:
    from airflow_armada.standalone.scheduling.engine import Engine
    from tests.simulation.weather import Weather

_ENDS = ("succeeded", "failed", "cancelled")


def let_straggle(engine: Engine, weather: Weather) -> None:
    """
    Store, while the weather has stragglers, that a lease was returned after it was stored that the job has ended.

    :param engine: whose events they are.
    :param weather: tells when.
    """
    append = engine.events.append

    def straggling(queue: str, job_set_id: str, messages: Sequence[EventMessage]) -> None:
        append(queue, job_set_id, messages)
        ended = [
            getattr(message, kind).job_id for message in messages if (kind := message.WhichOneof("events")) in _ENDS
        ]
        jobs = [engine.store.jobs[job_id] for job_id in ended if job_id in engine.store.jobs]
        late = [event_messages.lease_returned(job, "the pod is gone", True) for job in jobs if job.runs]
        if late and weather.has("stragglers"):
            append(queue, job_set_id, late)

    engine.events.append = straggling  # type: ignore[method-assign]
