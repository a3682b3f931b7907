"""What a retry, a clear or a rescheduled try does with the job of an earlier one."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from airflow_armada.client.errors import CredentialsError
from airflow_armada.client.typings import JobState
from airflow_armada.exceptions import ArmadaRefused
from airflow_armada.task.submit import lookup as lookups
from airflow_armada.task.submit.policy import Policy
from tests.integration.task.submit.tries import Store, Tries
from tests.support.components import wait_until

CODES = [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
LOST_CONNECTION = "failed to connect to `host=lookout-postgres`: connection refused"


@pytest.mark.parametrize("code", CODES, ids=[code.name for code in CODES])
@pytest.mark.parametrize("method", ["GetJobStatus", "CancelJobs"])
def test_a_retry_waits_for_a_server_that_refuses_for_a_moment(tries: Tries, method: str, code: grpc.StatusCode) -> None:
    first = tries.acquire()
    tries.armada.faults.refuse(method, code, times=2)
    epoch = 1 if method == "CancelJobs" else 0  # a clear cancels, a retry asks

    second = tries.acquire(2, epoch=epoch)

    assert second.adopted == (epoch == 0)
    assert len(tries.armada.jobs) == (1 if second.adopted else 2)
    assert (first.record.job_id == second.record.job_id) == second.adopted


def test_a_clear_cancels_nothing_that_has_succeeded(tries: Tries) -> None:
    tries = tries.with_(seconds=0)
    tries.until(tries.acquire().record.job_id, JobState.SUCCEEDED)

    second = tries.acquire(2, epoch=1)

    assert not second.adopted
    assert tries.armada.calls["/api.Submit/CancelJobs"] == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is waited out for minutes be waited out for a moment."""
    from airflow_armada.client.patience import Patience

    monkeypatch.setattr(lookups, "FOR_CALLS", Patience(outage=1.0, error=1.0, first=0.1, most=0.1))


@pytest.mark.usefixtures("impatient")
def test_a_retry_takes_over_a_job_of_which_the_query_service_tells_nothing(tries: Tries) -> None:
    first = tries.acquire()
    tries.armada.faults.refuse("GetJobStatus", grpc.StatusCode.UNKNOWN, LOST_CONNECTION, times=None)

    second = tries.acquire(2)

    assert second.adopted
    assert second.record.job_id == first.record.job_id


def test_a_clear_cancels_a_job_of_which_the_query_service_tells_nothing(tries: Tries) -> None:
    first = tries.acquire()
    tries.armada.faults.refuse("GetJobStatus", grpc.StatusCode.UNKNOWN, LOST_CONNECTION, times=None)

    tries.acquire(2, epoch=1)

    tries.until(first.record.job_id, JobState.CANCELLED)


def test_a_hiccup_of_the_identity_provider_is_waited_out(tries: Tries, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tries.acquire()
    with tries.takeover(tries.attempt(2)) as (takeover, _):
        ask, hiccups = takeover._lookups("").client.get_job_status, [CredentialsError("no answer", transient=True)] * 2

        def hiccup(job_ids: list[str]) -> Any:
            if hiccups:
                raise hiccups.pop()
            return ask(job_ids)

        monkeypatch.setattr(takeover._lookups("").client, "get_job_status", hiccup)
        second = takeover.acquire()

    assert second.record.job_id == first.record.job_id


def test_before_airflow_3_3_a_third_try_finds_the_first_trys_job_that_the_second_had_taken_over(tries: Tries) -> None:
    tries = tries.with_(store=None)
    first = tries.acquire()
    assert tries.acquire(2).record.job_id == first.record.job_id

    third = tries.acquire(3)

    assert third.adopted
    assert list(tries.armada.jobs) == [third.record.job_id]


class Broken(Store):
    """A store that answers with an error, as when the API server is overloaded."""

    def get(self, key: str, default: object = None) -> object:
        raise RuntimeError("503 Service Unavailable")


def test_a_record_that_cannot_be_read_is_no_record_that_is_missing(tries: Tries) -> None:
    first = tries.acquire()

    second = tries.with_(store=Broken()).acquire(2)

    assert second.adopted
    assert list(tries.armada.jobs) == [first.record.job_id]


def test_a_record_that_could_not_be_written_is_made_up_for_by_a_look(tries: Tries) -> None:
    first = tries.acquire()
    assert tries.store is not None
    tries.store.clear()

    assert tries.acquire(2).record.job_id == first.record.job_id


@pytest.mark.parametrize("end", ["failed", "preempted", "queued_too_long", "rejected"])
def test_a_try_that_airflow_has_put_off_after_the_end_of_its_job_runs_anew(tries: Tries, end: str) -> None:
    first = tries.acquire()
    tries.note(end=end)

    again = tries.acquire(reschedules=1)
    tries.note(end=end)
    third = tries.acquire(reschedules=2)

    assert len({first.record.job_id, again.record.job_id, third.record.job_id}) == 3
    assert (again.record.spent, third.record.spent) == (0, 0)


def test_a_try_that_airflow_has_put_off_when_its_worker_was_lost_takes_its_job_over(tries: Tries) -> None:
    first = tries.acquire()

    again = tries.acquire(reschedules=1)

    assert not again.adopted
    assert again.record.job_id == first.record.job_id


@pytest.mark.parametrize("reads", [True, False])
def test_a_try_that_was_put_off_runs_anew_although_nobody_could_note_the_end(tries: Tries, reads: bool) -> None:
    first = tries.acquire()
    tries.armada.disruptions.evict(tries.until(first.record.job_id, JobState.RUNNING))
    tries.until(first.record.job_id, JobState.FAILED)

    again = (tries if reads else tries.with_(store=Broken())).acquire(reschedules=1)

    assert again.record.job_id != first.record.job_id


def test_each_pass_of_a_loop_has_a_job_of_its_own(tries: Tries) -> None:
    jobs = {tries.with_(store=Store()).acquire(loop=f"0199.{index}").record.job_id for index in range(3)}

    assert len(jobs) == 3


@pytest.mark.parametrize(
    ("reattach", "adopts"), [("running_or_succeeded", True), ("running", True), ("never", False), ("always", True)]
)
def test_what_a_retry_takes_over_is_the_authors_to_say(tries: Tries, reattach: str, adopts: bool) -> None:
    tries = tries.with_(policy=Policy(reattach))
    first = tries.acquire()

    second = tries.acquire(2)

    assert second.adopted == adopts
    assert (second.record.job_id == first.record.job_id) == adopts
    if not adopts:
        tries.until(first.record.job_id, JobState.CANCELLED)


@pytest.mark.parametrize("noted", ["failed", ""], ids=["end noted", "end asked for"])
@pytest.mark.parametrize(
    ("reattach", "adopts"),
    [("running_or_succeeded", False), ("always", True), (lambda state, _: state is JobState.FAILED, True)],
    ids=["running_or_succeeded", "always", "function"],
)
def test_a_job_that_has_failed_is_taken_over_where_the_author_says_so(
    tries: Tries, reattach: Any, adopts: bool, noted: str
) -> None:
    tries = tries.with_(policy=Policy(reattach), command=["false"])
    first = tries.acquire()
    tries.until(first.record.job_id, JobState.FAILED)
    tries.note(end=noted)

    assert tries.acquire(2).adopted == adopts
    assert len(tries.armada.jobs) == (1 if adopts else 2)


@pytest.mark.parametrize("end", ["killed", "timed_out", "queued_too_long"])
def test_always_takes_over_what_the_task_itself_has_cancelled(tries: Tries, end: str) -> None:
    tries = tries.with_(policy=Policy("always"))
    first = tries.acquire()
    tries.note(end=end)

    assert tries.acquire(2).record.job_id == first.record.job_id


def test_not_even_always_takes_over_the_job_of_a_cleared_task(tries: Tries) -> None:
    tries = tries.with_(policy=Policy("always"))
    first = tries.acquire()

    assert not tries.acquire(2, epoch=1).adopted
    tries.until(first.record.job_id, JobState.CANCELLED)


def test_a_function_is_told_state_and_reason_and_decides(tries: Tries) -> None:
    told: list[tuple[JobState, str]] = []

    def decide(state: JobState, reason: str) -> bool:
        told.append((state, reason))
        return False

    tries = tries.with_(policy=Policy(decide), command=["sh", "-c", "exit 3"])
    failed = tries.acquire()
    tries.until(failed.record.job_id, JobState.FAILED)
    running = tries.with_(command=["sleep", "30"]).acquire(2)
    third = tries.acquire(3)

    assert told[0][0] is JobState.FAILED
    assert "3" in told[0][1]
    assert not told[1][0].is_terminal()
    assert not third.adopted
    tries.until(running.record.job_id, JobState.CANCELLED)


def test_a_function_that_raises_says_so_and_submits_nothing(tries: Tries) -> None:
    tries.acquire()
    broken = tries.with_(policy=Policy(lambda state, reason: reason[99] == ""))

    with pytest.raises(ArmadaRefused, match="reattach, a function, raised IndexError"):
        broken.acquire(2)

    assert len(tries.armada.jobs) == 1


def test_a_job_whose_cancel_armada_may_not_have_heard_is_cancelled_again(tries: Tries) -> None:
    first = tries.acquire()
    tries.note(end="killed")

    tries.acquire(2)

    tries.until(first.record.job_id, JobState.CANCELLED)


def test_a_job_of_another_deployment_with_the_same_ids_is_not_taken_for_this_trys(tries: Tries) -> None:
    tries.acquire()

    later = tries.with_(store=Store(), started_at=time.time() + 3600).acquire()

    wait_until(lambda: len(tries.armada.jobs) == 2, "a second job")
    assert later.record.job_id == max(tries.armada.jobs)
