"""The event stream of a job set: resuming, replaying, waiting, refusing."""

from __future__ import annotations

import grpc
import pytest

from airflow_armada.api import event_pb2, methods
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, wait_until

GET = methods.Event.GET_JOB_SET_EVENTS


@pytest.fixture
def history(armada: Armada) -> list[event_pb2.EventStreamMessage]:
    """The events of two jobs that were submitted in one request and have ended."""
    for job_id in armada.submit(job(container("true")), job(container("true"))):
        armada.end_of(job_id)
    return armada.replay()


def test_ids_are_of_armadas_form_and_mark_the_last_event_of_an_entry(
    history: list[event_pb2.EventStreamMessage],
) -> None:
    first = [message.id.split(":") for message in history[:4]]

    assert len({(millisecond, sequence) for millisecond, sequence, _, _ in first}) == 1
    assert [(index, last) for _, _, index, last in first] == [("0", "0"), ("1", "0"), ("2", "0"), ("3", "1")]


def test_reading_resumes_after_any_id(armada: Armada, history: list[event_pb2.EventStreamMessage]) -> None:
    for position, message in enumerate(history):
        assert list(armada.watch(message.id, watch=False)) == history[position + 1 :]


def test_a_legacy_id_stands_for_the_end_of_its_entry(
    armada: Armada, history: list[event_pb2.EventStreamMessage]
) -> None:
    millisecond, sequence, _, _ = history[0].id.split(":")

    assert list(armada.watch(f"{millisecond}-{sequence}", watch=False)) == history[4:]


def test_an_id_made_of_a_time_alone_resumes_at_that_time(
    armada: Armada, history: list[event_pb2.EventStreamMessage]
) -> None:
    before = int(history[0].id.split(":")[0]) - 1

    assert list(armada.watch(f"{before}:0:0:1", watch=False)) == history


def test_a_watch_goes_on_when_all_jobs_have_ended(armada: Armada, history: list[event_pb2.EventStreamMessage]) -> None:
    stream = armada.watch(history[-1].id)
    armada.submit(job(container("true")))

    assert next(stream).message.WhichOneof("events") == "submitted"


def test_the_old_watch_call_is_the_same_with_fixed_options(
    armada: Armada, history: list[event_pb2.EventStreamMessage]
) -> None:
    stream = armada.call(methods.Event.WATCH, queue=QUEUE, job_set_id=JOB_SET)

    assert next(stream) == history[0]
    code, _ = armada.refused(methods.Event.WATCH, queue=QUEUE, job_set_id="unheard-of")
    assert code == grpc.StatusCode.NOT_FOUND


def test_a_missing_job_set_is_an_error_only_if_asked_for(armada: Armada) -> None:
    assert list(armada.watch(job_set="unheard-of", watch=False)) == []

    code, text = armada.refused(GET, queue=QUEUE, id="unheard-of", errorIfMissing=True)
    assert (code, text) == (
        grpc.StatusCode.NOT_FOUND,
        f"[GetJobSetEvents] Jobset unheard-of for queue {QUEUE} does not exist",
    )


def test_a_missing_queue_is_not_found(armada: Armada) -> None:
    code, text = armada.refused(GET, queue="unheard-of", id=JOB_SET)

    assert (code, text) == (grpc.StatusCode.NOT_FOUND, "[GetJobSetEvents] Queue unheard-of does not exist")


@pytest.mark.parametrize("bad", ["yesterday", "1:2:3", "1:2:3:4", "1-2-3"])
def test_an_id_of_another_form_is_refused(armada: Armada, bad: str) -> None:
    code, text = armada.refused(GET, queue=QUEUE, id=JOB_SET, from_message_id=bad)

    assert code == grpc.StatusCode.UNKNOWN
    assert text.startswith('[x-request-id: "')
    assert "Could not convert legacy message id" in text


def test_a_history_that_is_dropped_leaves_the_watch_open(
    server: StandaloneArmada, armada: Armada, history: list[event_pb2.EventStreamMessage]
) -> None:
    stream = armada.watch(history[-1].id)
    wait_until(lambda: server.open_streams[GET.path] == 1)

    server.disruptions.forget_events(QUEUE, JOB_SET)

    assert armada.replay() == []
    armada.submit(job(container("true")))
    assert next(stream).message.WhichOneof("events") == "submitted"


def test_job_sets_of_the_same_name_in_two_queues_are_apart(server: StandaloneArmada, armada: Armada) -> None:
    server.create_queue("biology")
    armada.submit(job(container("true")), queue="biology")

    assert armada.replay() == []


def test_a_published_event_reaches_the_watchers(server: StandaloneArmada, armada: Armada) -> None:
    stream = armada.watch(job_set="made-up")

    message = event_pb2.EventMessage(queued=event_pb2.JobQueuedEvent(job_id="x", job_set_id="made-up", queue=QUEUE))
    server.publish(QUEUE, "made-up", [message])

    assert next(stream).message == message
