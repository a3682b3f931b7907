"""The event stream, read as cheaply as it can be.

A ``submitted`` event carries the whole job, up to 64 KB of pod spec, for every job of the set. Nobody here needs more
of it than the client id, so the stream is parsed with an ``api.EventStreamMessage`` whose job has nothing else.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.message import DecodeError

from airflow_armada.api import event_pb2, methods, submit_pb2
from airflow_armada.api._pool import POOL
from airflow_armada.api.decode import decode

_PACKAGE = "airflow_armada.follow"
_MILLISECONDS = re.compile(r"\d{1,15}", re.ASCII)
_REPLACED = ("EventStreamMessage", "EventMessage", "JobSubmittedEvent", "Job")


def _slim_class() -> type[Any]:
    source = descriptor_pb2.FileDescriptorProto()
    event_pb2.DESCRIPTOR.CopyToProto(source)
    slim = descriptor_pb2.FileDescriptorProto(
        name="airflow_armada/follow/events.proto", package=_PACKAGE, syntax="proto3", dependency=[source.name]
    )
    slim.message_type.extend(message for message in source.message_type if message.name in _REPLACED)
    for message in slim.message_type:
        for field in message.field:
            name = field.type_name.removeprefix(".api.")
            if name in _REPLACED:
                field.type_name = f".{_PACKAGE}.{name}"
    job = descriptor_pb2.DescriptorProto()
    submit_pb2.Job.DESCRIPTOR.CopyToProto(job)
    client_id = [field for field in job.field if field.name == "client_id"]
    slim.message_type.add(name="Job", field=client_id)
    POOL.AddSerializedFile(slim.SerializeToString())
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{_PACKAGE}.EventStreamMessage"))


SlimEvent: Any = _slim_class()
"""``api.EventStreamMessage`` whose ``submitted`` event has nothing of the job but its client id."""


def open_events(channel: Any, queue: str, job_set_id: str, *, from_id: str, watch: bool = True) -> Any:
    """Call GetJobSetEvents.

    :param channel: a ``grpc.aio.Channel``
    :param from_id: id of the message after which to begin; "" is the beginning
    :param watch: whether to wait for events to come, or to end with those that are there
    :return: the call, an async iterator of :data:`SlimEvent`
    """
    request = event_pb2.JobSetRequest(id=job_set_id, queue=queue, watch=watch, from_message_id=from_id)
    call = channel.unary_stream(
        methods.Event.GET_JOB_SET_EVENTS.path,
        request_serializer=event_pb2.JobSetRequest.SerializeToString,
        response_deserializer=_parsed,
    )
    return call(request)


def _parsed(raw: bytes) -> Any:
    """Read a message; one that cannot be read has neither id nor event: an error here costs grpc.aio its neighbours."""
    try:
        return decode(SlimEvent, raw)
    except DecodeError:
        return SlimEvent()


def id_at(moment: float) -> str:
    """Return a message id that stands before everything that the server stored at a moment or later.

    Ids are ``<milliseconds>:<sequence>:<index>:<1 if last of its entry>`` and a stream begins after the one given.

    :param moment: seconds since the epoch
    """
    return f"{max(0, int(moment * 1000))}:0:0:1"


def time_of(message_id: str) -> float:
    """Return the time in a message id, in seconds since the epoch; 0 for an id of another form."""
    milliseconds = message_id.partition(":")[0]
    return int(milliseconds) / 1000 if _MILLISECONDS.fullmatch(milliseconds) else 0.0
