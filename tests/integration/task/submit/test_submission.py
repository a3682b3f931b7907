"""One job comes of a submission, whatever becomes of its answer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_armada._compat import AirflowException
from airflow_armada.client.typings import JobState
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.task.kill import Kill
from tests.integration.task.submit.tries import Store, Tries, soon
from tests.support.components import wait_until

CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED)
NAMES = [code.name for code in CODES]


def killed() -> Kill:
    kill = Kill()
    kill.tell()
    return kill


def test_a_task_that_was_killed_submits_nothing(tries: Tries) -> None:
    with pytest.raises(AirflowException, match="killed before its job was submitted"):
        tries.with_(kill=killed()).acquire()

    assert not tries.armada.jobs


def test_a_task_that_is_killed_while_armada_is_away_submits_nothing_when_it_is_back(tries: Tries) -> None:
    tries.armada.faults.refuse("SubmitJobs", times=None)

    with soon(0.5, tries.kill.tell), pytest.raises(AirflowException, match="killed before its job was submitted"):
        tries.acquire()

    assert not tries.armada.jobs


class GivenUp(Store):
    """The store of a try in whose place Airflow has put another."""

    def set(self, key: str, value: object) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

        answer = {"status_code": 404, "detail": {"reason": "not_found", "message": "Task instance 01a not found"}}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=answer))


def test_a_try_that_airflow_has_given_up_submits_nothing(tries: Tries) -> None:
    with pytest.raises(AirflowException, match="given up this try"):
        tries.with_(store=GivenUp()).acquire(2)

    assert not tries.armada.jobs


def test_concurrent_submits_of_one_identity_make_one_job(tries: Tries) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: tries.with_(store=Store()).acquire().record.job_id, range(8)))

    assert list(tries.armada.jobs) == list(ids)


@pytest.mark.parametrize("losses", [1, 3])
@pytest.mark.parametrize("code", CODES, ids=NAMES)
def test_a_lost_answer_makes_no_second_job(tries: Tries, code: grpc.StatusCode, losses: int) -> None:
    tries.armada.faults.lose_response("SubmitJobs", code, times=losses)

    submitted = tries.acquire()

    assert list(tries.armada.jobs) == [submitted.record.job_id]


@pytest.mark.parametrize("code", CODES, ids=NAMES)
def test_a_lost_answer_makes_no_second_job_even_if_armada_forgets_the_first(
    tries: Tries, code: grpc.StatusCode
) -> None:
    tries.armada.faults.forget_client_ids = True
    tries.armada.faults.query_lag = 2.0
    tries.armada.faults.lose_response("SubmitJobs", code)

    submitted = tries.acquire()

    assert list(tries.armada.jobs) == [submitted.record.job_id]


def back(armada: StandaloneArmada) -> None:
    armada.faults.bus_away = False


def test_a_pause_of_the_message_bus_makes_one_job(tries: Tries) -> None:
    tries.armada.faults.bus_away = True

    with soon(3.0, lambda: back(tries.armada)):
        submitted = tries.acquire()

    assert list(tries.armada.jobs) == [submitted.record.job_id]


def test_of_the_jobs_that_a_long_pause_of_the_message_bus_makes_one_runs(tries: Tries) -> None:
    tries.armada.faults.bus_away = True

    # A pause of minutes outlasts the deadline of a submission; here both are short.
    with soon(9.0, lambda: back(tries.armada)):
        submitted = tries.with_(command_timeout=1.0).acquire()

    assert len(tries.armada.jobs) > 1
    wait_until(lambda: tries.wanted() == [submitted.record.job_id], "the cancel of the copies")
    assert submitted.record.job_id == min(tries.armada.jobs)


def test_of_the_jobs_of_a_worker_that_died_in_a_pause_of_the_message_bus_and_its_retry_one_runs(tries: Tries) -> None:
    tries.armada.faults.bus_away = True
    tries.lost_worker()

    with soon(6.0, lambda: back(tries.armada)):
        submitted = tries.acquire(2)

    wait_until(lambda: tries.wanted() == [submitted.record.job_id], "the cancel of the copies")
    assert submitted.record.job_id == min(tries.armada.jobs)


def test_without_a_state_store_too(tries: Tries) -> None:
    tries = tries.with_(store=None)
    tries.armada.faults.bus_away = True
    tries.lost_worker()

    with soon(7.0, lambda: back(tries.armada)):
        submitted = tries.acquire(2)

    wait_until(lambda: tries.wanted() == [submitted.record.job_id], "the cancel of the copies")


def test_a_submission_under_way_is_heard_out_when_the_task_ends(tries: Tries) -> None:
    tries.armada.faults.bus_away = True
    with tries.takeover(tries.attempt()) as (takeover, submission), ThreadPoolExecutor() as pool:
        waiting = pool.submit(takeover.acquire)
        wait_until(lambda: submission.unsettled is not None, "the submission")
        with soon(1.0, lambda: back(tries.armada)):
            jobs = submission.outcome(30.0)
        waiting.result()

    assert [job.job_id for job in jobs] == list(tries.armada.jobs)


def test_of_a_submission_that_cannot_have_been_accepted_nothing_is_waited_for(tries: Tries) -> None:
    tries.armada.faults.refuse("SubmitJobs", grpc.StatusCode.INVALID_ARGUMENT)
    with tries.takeover(tries.attempt()) as (takeover, submission), pytest.raises(AirflowException):
        takeover.acquire()

    begun = time.monotonic()

    assert submission.outcome(30.0) == []
    assert time.monotonic() - begun < 30.0


def test_jobs_that_somebody_has_cancelled_are_not_the_one_to_keep(tries: Tries) -> None:
    with tries.takeover(tries.attempt()) as (_, submission):
        record = tries.intent(tries.attempt().identity())
        jobs = {"a": JobState.CANCELLED, "b": JobState.FAILED, "c": JobState.SUCCEEDED}

        assert submission.keep_one(record, jobs) == "b"
