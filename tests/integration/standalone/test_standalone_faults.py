"""Misbehaviour on demand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from airflow_armada.api import methods, submit_pb2
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, shell, wait_until

GET = methods.Event.GET_JOB_SET_EVENTS


def code_of(stream: object) -> grpc.StatusCode:
    """Read a stream to its end and return the code that it ends with."""
    try:
        for _ in stream:  # type: ignore[attr-defined]
            pass
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_calls_are_refused_a_number_of_times(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.refuse("SubmitJobs", grpc.StatusCode.INTERNAL, "no", times=2)

    for _ in range(2):
        assert armada.refused(methods.Submit.SUBMIT_JOBS) == (grpc.StatusCode.INTERNAL, "no")
    assert len(armada.submit(job(container("true")))) == 1


def test_every_call_is_refused_until_the_fault_is_cleared(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.refuse(times=None)

    assert armada.refused(methods.Submit.HEALTH)[0] == grpc.StatusCode.UNAVAILABLE
    assert armada.refused(GET, queue=QUEUE, id=JOB_SET)[0] == grpc.StatusCode.UNAVAILABLE

    server.faults.clear()
    assert armada.call(methods.Submit.HEALTH).status == 1


def test_a_lost_response_leaves_the_job_behind(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.lose_response("SubmitJobs", grpc.StatusCode.INTERNAL)
    once = job(container("true"), client_id="try-1")

    code, _ = armada.refused(methods.Submit.SUBMIT_JOBS, queue=QUEUE, job_set_id=JOB_SET, job_request_items=[once])

    assert code == grpc.StatusCode.INTERNAL
    assert armada.submit(once) == list(server.jobs)


def test_client_ids_may_be_forgotten(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.forget_client_ids = True

    first, second = (armada.submit(job(container("true"), client_id="try-1")) for _ in range(2))

    assert first != second


def test_a_stream_breaks_after_some_messages(server: StandaloneArmada, armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true")))
    armada.end_of(job_id)
    server.faults.drop_streams_after = 2

    stream = armada.watch()

    assert [next(stream).message.WhichOneof("events") for _ in range(2)] == ["submitted", "queued"]
    assert code_of(stream) == grpc.StatusCode.UNAVAILABLE


def test_open_streams_are_broken_or_closed(server: StandaloneArmada, armada: Armada) -> None:
    for fault, code in (
        (server.faults.break_streams, grpc.StatusCode.UNAVAILABLE),
        (server.faults.close_streams, grpc.StatusCode.OK),
    ):
        stream = armada.watch()
        wait_until(lambda: server.open_streams[GET.path] == 1)

        fault()

        assert code_of(stream) == code
        wait_until(lambda: server.open_streams[GET.path] == 0)


def test_streams_may_live_for_a_time_only(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.close_streams_after = 0.1

    assert code_of(armada.watch()) == grpc.StatusCode.OK


def test_a_silent_server_keeps_the_stream_open_and_catches_up(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.silent = True
    (job_id,) = armada.submit(job(container("true")))
    wait_until(lambda: armada.state(job_id) == "SUCCEEDED")
    stream = armada.watch()
    wait_until(lambda: server.open_streams[GET.path] == 1)

    server.faults.clear()

    assert next(stream).message.WhichOneof("events") == "submitted"


def test_repeated_events_have_ids_of_their_own(server: StandaloneArmada, armada: Armada) -> None:
    server.faults.repeat_events = 1
    (job_id,) = armada.submit(job(container("true")))
    armada.end_of(job_id)

    messages = [message for message in armada.replay() if message.message.HasField("submitted")]

    assert [message.message.submitted.job_id for message in messages] == [job_id, job_id]
    assert len({message.id for message in messages}) == 2


def test_an_expired_token_is_refused_until_it_is_accepted_again() -> None:
    with StandaloneArmada(credentials=Credentials(tokens={"tok": "anna"})) as server:
        armada = Armada(server.target, [("authorization", "Bearer tok")])

        server.authenticator.expire_token("tok")
        assert armada.refused(methods.Submit.HEALTH)[0] == grpc.StatusCode.UNAUTHENTICATED

        server.authenticator.add_token("tok", "anna")
        assert armada.call(methods.Submit.HEALTH).status == 1


def test_jobs_go_on_while_the_server_cannot_be_reached(server: StandaloneArmada, armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("sleep", "0.2")))
    target = server.target

    server.disconnect()
    assert armada.refused(methods.Submit.HEALTH)[0] == grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: server.jobs[job_id].finished)
    server.reconnect()

    assert server.target == target
    assert Armada(target).kinds_until(job_id)[-1] == "succeeded"


def test_calls_are_counted_by_method(server: StandaloneArmada, armada: Armada) -> None:
    armada.call(methods.Submit.HEALTH)
    armada.call(methods.Submit.HEALTH)
    armada.refused(methods.Submit.CANCEL_JOBS)

    assert server.calls["/api.Submit/Health"] == 2
    assert server.calls["/api.Submit/CancelJobs"] == 1


def test_a_bus_that_is_away_blocks_submissions_publishes_them_late_and_forgets_their_client_ids(
    server: StandaloneArmada, armada: Armada
) -> None:
    once = job(container("true"), client_id="try-1")
    server.faults.bus_away = True

    for _ in range(2):
        with pytest.raises(grpc.RpcError) as given_up:
            armada.call(methods.Submit.SUBMIT_JOBS, 0.3, queue=QUEUE, job_set_id=JOB_SET, job_request_items=[once])
        assert given_up.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert not server.jobs
    assert not armada.replay()
    server.faults.bus_away = False

    wait_until(lambda: [job.state for job in server.jobs.values()] == [submit_pb2.SUCCEEDED] * 2)
    assert armada.submit(once)[0] not in list(server.jobs)[:2]


def test_a_submission_that_waits_for_the_bus_is_answered_and_remembered(
    server: StandaloneArmada, armada: Armada
) -> None:
    once = job(container("true"), client_id="try-1")
    server.faults.bus_away = True

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(armada.submit, once)
        wait_until(lambda: server.calls[methods.Submit.SUBMIT_JOBS.path] == 1)
        server.faults.clear()

        assert waiting.result() == armada.submit(once) == list(server.jobs)


def test_while_the_bus_is_away_nothing_is_told_of_a_job_and_a_cancel_of_it_waits(
    server: StandaloneArmada, armada: Armada, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    waiting = shell(f"until [ -e {go_on} ]; do sleep 0.05; done")
    ended, running = armada.submit(job(waiting), job(container("sleep", "60")))
    for job_id in (ended, running):
        armada.events_until(job_id, "running")
    server.faults.bus_away = True
    told = len(armada.replay())
    go_on.touch()

    with pytest.raises(grpc.RpcError):
        armada.call(methods.Submit.CANCEL_JOBS, 0.6, queue=QUEUE, job_set_id=JOB_SET, job_ids=[running])
    assert (armada.state(ended), armada.state(running), len(armada.replay())) == ("RUNNING", "RUNNING", told)
    server.faults.bus_away = False

    assert armada.kinds_until(ended)[-1] == "succeeded"
    assert armada.kinds_until(running)[-2:] == ["cancelling", "cancelled"]


def test_calls_are_counted_by_the_path_of_a_method_and_by_nothing_else(server: StandaloneArmada) -> None:
    assert server.calls["/api.Submit/CancelJobs"] == 0
    with pytest.raises(KeyError, match="CancelJobs"):
        server.calls["CancelJobs"]


def test_a_fault_of_a_method_that_does_not_exist_is_an_error(server: StandaloneArmada) -> None:
    with pytest.raises(ValueError, match="SubmitJob"):
        server.faults.refuse("SubmitJob")
