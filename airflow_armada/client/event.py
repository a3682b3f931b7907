"""An event of a job set, with its kind."""

from __future__ import annotations

from typing import Any

from airflow_armada.api import event_pb2
from airflow_armada.client.calls.messages import adopt
from airflow_armada.client.typings import EventType, OneOfJobEvent


class Event:
    """What one message of an event stream tells.

    ``type`` is its kind, ``message`` the message of that kind, ``id`` what a stream can be resumed from. A kind that
    this version does not know has the type ``EventType.unknown``, so that a newer server does not stop a consumer.

    :param event: a message of the stream; of any package, or an object of a test that looks like one
    """

    def __init__(self, event: event_pb2.EventStreamMessage) -> None:
        known: Any = event
        stream_message = adopt(known, event_pb2.EventStreamMessage) if hasattr(known, "DESCRIPTOR") else known
        kind = stream_message.message.WhichOneof("events")
        self.id: str = stream_message.id
        self.type: EventType = EventType(kind) if kind else EventType.unknown
        self.message: OneOfJobEvent = getattr(stream_message.message, kind) if kind else stream_message.message

    def __repr__(self) -> str:
        job = getattr(self.message, "job_id", "")
        job_set, queue = getattr(self.message, "job_set_id", ""), getattr(self.message, "queue", "")
        return f"<Event {self.type.value} of job {job!r}, job set {job_set!r}, queue {queue!r}, id {self.id!r}>"
