"""The table of remote methods: one entry a method, for sync and asyncio channels alike.

It stands where generated ``_pb2_grpc.py`` stubs would: a path, two message classes and a kind are all that a call
needs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from airflow_armada.api import (
    binoculars_pb2,
    empty_pb2,
    event_pb2,
    executor_pb2,
    health_pb2,
    job_pb2,
    node_pb2,
    scheduler_reporting_pb2,
    submit_pb2,
)
from airflow_armada.api.decode import decode

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


logger = logging.getLogger(__name__)


class Undecodable(str):
    """Stands in the place of an answer that cannot be decoded, and says why."""


@dataclass(frozen=True)
class Method(Generic[RequestT, ResponseT]):
    """A remote method.

    :param path: the full gRPC path, ``/package.Service/Method``
    :param request: the class of its request message
    :param response: the class of its response message, or of each message of a response stream
    :param streaming: whether the server answers with a stream
    """

    path: str
    request: type[RequestT]
    response: type[ResponseT]
    streaming: bool

    @property
    def name(self) -> str:
        """The bare method name, such as ``SubmitJobs``."""
        return self.path.rpartition("/")[2]

    def bind(self, channel: Any) -> Any:
        """Return the callable for this method on a channel.

        :param channel: a ``grpc.Channel`` or a ``grpc.aio.Channel``
        :return: what the channel's ``unary_unary`` or ``unary_stream`` gives
        """
        multicallable = channel.unary_stream if self.streaming else channel.unary_unary
        return multicallable(
            self.path, request_serializer=self.request.SerializeToString, response_deserializer=self.decode
        )

    def decode(self, content: bytes) -> ResponseT | Undecodable:
        """Return the message that came, texts that are not UTF-8 mended, or what is known of it where it is none.

        An error must not reach gRPC, which would end the stream, or hand over None. A message of an event stream keeps
        its id and has no event, as one of a kind that is not known, so that only this one is passed over.

        :param content: its bytes
        """
        try:
            return decode(self.response, content)
        except DecodeError as error:
            if self.response is not event_pb2.EventStreamMessage:
                return Undecodable(str(error))
            position = _text_field(content, 1)
            logger.warning("The event %r cannot be decoded and is passed over: %s", position, error)
            return self.response(id=position)


def _text_field(content: bytes, number: int) -> str:
    """Return a text of a message whose other fields cannot be decoded; "" if that cannot be either."""
    try:
        fields: Any = UnknownFieldSet(empty_pb2.Empty.FromString(content))
        found = [field.data for field in fields if field.field_number == number and isinstance(field.data, bytes)]
        return found[-1].decode() if found else ""
    except (DecodeError, UnicodeDecodeError):
        return ""


def unary(path: str, request: type[RequestT], response: type[ResponseT]) -> Method[RequestT, ResponseT]:
    return Method(path, request, response, streaming=False)


def stream(path: str, request: type[RequestT], response: type[ResponseT]) -> Method[RequestT, ResponseT]:
    return Method(path, request, response, streaming=True)


class Submit:
    """Methods of ``api.Submit``."""

    SUBMIT_JOBS = unary("/api.Submit/SubmitJobs", submit_pb2.JobSubmitRequest, submit_pb2.JobSubmitResponse)
    CANCEL_JOBS = unary("/api.Submit/CancelJobs", submit_pb2.JobCancelRequest, submit_pb2.CancellationResult)
    CANCEL_JOB_SET = unary("/api.Submit/CancelJobSet", submit_pb2.JobSetCancelRequest, empty_pb2.Empty)
    REPRIORITIZE_JOBS = unary(
        "/api.Submit/ReprioritizeJobs", submit_pb2.JobReprioritizeRequest, submit_pb2.JobReprioritizeResponse
    )
    PREEMPT_JOBS = unary("/api.Submit/PreemptJobs", submit_pb2.JobPreemptRequest, submit_pb2.PreemptionResult)
    CREATE_QUEUE = unary("/api.Submit/CreateQueue", submit_pb2.Queue, empty_pb2.Empty)
    CREATE_QUEUES = unary("/api.Submit/CreateQueues", submit_pb2.QueueList, submit_pb2.BatchQueueCreateResponse)
    UPDATE_QUEUE = unary("/api.Submit/UpdateQueue", submit_pb2.Queue, empty_pb2.Empty)
    UPDATE_QUEUES = unary("/api.Submit/UpdateQueues", submit_pb2.QueueList, submit_pb2.BatchQueueUpdateResponse)
    DELETE_QUEUE = unary("/api.Submit/DeleteQueue", submit_pb2.QueueDeleteRequest, empty_pb2.Empty)
    GET_QUEUE = unary("/api.Submit/GetQueue", submit_pb2.QueueGetRequest, submit_pb2.Queue)
    GET_QUEUES = stream("/api.Submit/GetQueues", submit_pb2.StreamingQueueGetRequest, submit_pb2.StreamingQueueMessage)
    HEALTH = unary("/api.Submit/Health", empty_pb2.Empty, health_pb2.HealthCheckResponse)


class QueueService:
    """Methods of ``api.QueueService``."""

    CREATE_QUEUE = unary("/api.QueueService/CreateQueue", submit_pb2.Queue, empty_pb2.Empty)
    CREATE_QUEUES = unary("/api.QueueService/CreateQueues", submit_pb2.QueueList, submit_pb2.BatchQueueCreateResponse)
    UPDATE_QUEUE = unary("/api.QueueService/UpdateQueue", submit_pb2.Queue, empty_pb2.Empty)
    UPDATE_QUEUES = unary("/api.QueueService/UpdateQueues", submit_pb2.QueueList, submit_pb2.BatchQueueUpdateResponse)
    DELETE_QUEUE = unary("/api.QueueService/DeleteQueue", submit_pb2.QueueDeleteRequest, empty_pb2.Empty)
    GET_QUEUE = unary("/api.QueueService/GetQueue", submit_pb2.QueueGetRequest, submit_pb2.Queue)
    GET_QUEUES = stream(
        "/api.QueueService/GetQueues", submit_pb2.StreamingQueueGetRequest, submit_pb2.StreamingQueueMessage
    )
    CORDON_QUEUE = unary("/api.QueueService/CordonQueue", submit_pb2.QueueCordonRequest, empty_pb2.Empty)
    UNCORDON_QUEUE = unary("/api.QueueService/UncordonQueue", submit_pb2.QueueUncordonRequest, empty_pb2.Empty)
    PREEMPT_ON_QUEUE = unary("/api.QueueService/PreemptOnQueue", submit_pb2.QueuePreemptRequest, empty_pb2.Empty)
    CANCEL_ON_QUEUE = unary("/api.QueueService/CancelOnQueue", submit_pb2.QueueCancelRequest, empty_pb2.Empty)


class RetryPolicyService:
    """Methods of ``api.RetryPolicyService``."""

    CREATE_RETRY_POLICY = unary("/api.RetryPolicyService/CreateRetryPolicy", submit_pb2.RetryPolicy, empty_pb2.Empty)
    UPDATE_RETRY_POLICY = unary("/api.RetryPolicyService/UpdateRetryPolicy", submit_pb2.RetryPolicy, empty_pb2.Empty)
    DELETE_RETRY_POLICY = unary(
        "/api.RetryPolicyService/DeleteRetryPolicy", submit_pb2.RetryPolicyDeleteRequest, empty_pb2.Empty
    )
    GET_RETRY_POLICY = unary(
        "/api.RetryPolicyService/GetRetryPolicy", submit_pb2.RetryPolicyGetRequest, submit_pb2.RetryPolicy
    )
    GET_RETRY_POLICIES = unary(
        "/api.RetryPolicyService/GetRetryPolicies", submit_pb2.RetryPolicyListRequest, submit_pb2.RetryPolicyList
    )


class Event:
    """Methods of ``api.Event``."""

    GET_JOB_SET_EVENTS = stream("/api.Event/GetJobSetEvents", event_pb2.JobSetRequest, event_pb2.EventStreamMessage)
    WATCH = stream("/api.Event/Watch", event_pb2.WatchRequest, event_pb2.EventStreamMessage)
    HEALTH = unary("/api.Event/Health", empty_pb2.Empty, health_pb2.HealthCheckResponse)


class Jobs:
    """Methods of ``api.Jobs``."""

    GET_JOB_STATUS = unary("/api.Jobs/GetJobStatus", job_pb2.JobStatusRequest, job_pb2.JobStatusResponse)
    GET_JOB_STATUS_USING_EXTERNAL_JOB_URI = unary(
        "/api.Jobs/GetJobStatusUsingExternalJobUri",
        job_pb2.JobStatusUsingExternalJobUriRequest,
        job_pb2.JobStatusResponse,
    )
    GET_JOB_DETAILS = unary("/api.Jobs/GetJobDetails", job_pb2.JobDetailsRequest, job_pb2.JobDetailsResponse)
    GET_JOB_ERRORS = unary("/api.Jobs/GetJobErrors", job_pb2.JobErrorsRequest, job_pb2.JobErrorsResponse)
    GET_JOB_RUN_DETAILS = unary(
        "/api.Jobs/GetJobRunDetails", job_pb2.JobRunDetailsRequest, job_pb2.JobRunDetailsResponse
    )
    GET_ACTIVE_QUEUES = unary(
        "/api.Jobs/GetActiveQueues", job_pb2.GetActiveQueuesRequest, job_pb2.GetActiveQueuesResponse
    )


class Executor:
    """Methods of ``api.Executor``."""

    UPSERT_EXECUTOR_SETTINGS = unary(
        "/api.Executor/UpsertExecutorSettings", executor_pb2.ExecutorSettingsUpsertRequest, empty_pb2.Empty
    )
    DELETE_EXECUTOR_SETTINGS = unary(
        "/api.Executor/DeleteExecutorSettings", executor_pb2.ExecutorSettingsDeleteRequest, empty_pb2.Empty
    )
    PREEMPT_ON_EXECUTOR = unary("/api.Executor/PreemptOnExecutor", executor_pb2.ExecutorPreemptRequest, empty_pb2.Empty)
    CANCEL_ON_EXECUTOR = unary("/api.Executor/CancelOnExecutor", executor_pb2.ExecutorCancelRequest, empty_pb2.Empty)
    DELETE_EXECUTOR = unary("/api.Executor/DeleteExecutor", executor_pb2.ExecutorDeleteRequest, empty_pb2.Empty)


class Node:
    """Methods of ``api.Node``."""

    PREEMPT_ON_NODE = unary("/api.Node/PreemptOnNode", node_pb2.NodePreemptRequest, empty_pb2.Empty)
    CANCEL_ON_NODE = unary("/api.Node/CancelOnNode", node_pb2.NodeCancelRequest, empty_pb2.Empty)


class SchedulerReporting:
    """Methods of ``schedulerobjects.SchedulerReporting``."""

    GET_SCHEDULING_REPORT = unary(
        "/schedulerobjects.SchedulerReporting/GetSchedulingReport",
        scheduler_reporting_pb2.SchedulingReportRequest,
        scheduler_reporting_pb2.SchedulingReport,
    )
    GET_QUEUE_REPORT = unary(
        "/schedulerobjects.SchedulerReporting/GetQueueReport",
        scheduler_reporting_pb2.QueueReportRequest,
        scheduler_reporting_pb2.QueueReport,
    )
    GET_JOB_REPORT = unary(
        "/schedulerobjects.SchedulerReporting/GetJobReport",
        scheduler_reporting_pb2.JobReportRequest,
        scheduler_reporting_pb2.JobReport,
    )


class Binoculars:
    """Methods of ``binoculars.Binoculars``."""

    LOGS = unary("/binoculars.Binoculars/Logs", binoculars_pb2.LogRequest, binoculars_pb2.LogResponse)
    CORDON = unary("/binoculars.Binoculars/Cordon", binoculars_pb2.CordonRequest, empty_pb2.Empty)


SERVICES: dict[str, type[Any]] = {
    "api.Submit": Submit,
    "api.QueueService": QueueService,
    "api.RetryPolicyService": RetryPolicyService,
    "api.Event": Event,
    "api.Jobs": Jobs,
    "api.Executor": Executor,
    "api.Node": Node,
    "schedulerobjects.SchedulerReporting": SchedulerReporting,
    "binoculars.Binoculars": Binoculars,
}


def methods_of(service: type[Any]) -> list[Method[Any, Any]]:
    """Return the methods of one of the service classes above, in the order in which they are declared."""
    return [entry for entry in vars(service).values() if isinstance(entry, Method)]
