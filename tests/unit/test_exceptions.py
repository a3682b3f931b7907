"""One exception per way in which a job can end."""

from __future__ import annotations

import pickle

import pytest
from grpc import StatusCode

from airflow_armada import exceptions
from airflow_armada._compat import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow_armada.client.errors import (
    CredentialsError,
    InvalidRequest,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from airflow_armada.exceptions import job_error
from airflow_armada.follow.state.outcome import STATUSES, SUCCEEDED, Outcome

FAILED = Outcome(
    status="failed",
    job_id="01k9job",
    queue="research",
    job_set_id="dag.run",
    cluster="cluster-a",
    node="node-7",
    exit_codes={"base": 137, "sidecar": 0},
    cause="Error",
    failure_category="user",
    failure_subcategory="bad-input",
    reason="container base failed",
)


@pytest.mark.parametrize(
    ("outcome", "expected", "retried"),
    [
        (Outcome("failed", "j", cause="Error"), exceptions.ArmadaJobFailed, True),
        (Outcome("failed", "j"), exceptions.ArmadaJobFailed, True),
        (Outcome("failed", "j", cause="OOM"), exceptions.ArmadaJobOutOfMemory, True),
        (Outcome("failed", "j", cause="Evicted"), exceptions.ArmadaJobEvicted, True),
        (Outcome("failed", "j", cause="DeadlineExceeded"), exceptions.ArmadaJobDeadlineExceeded, True),
        (Outcome("rejected", "j", cause="Rejected"), exceptions.ArmadaJobRejected, False),
        (Outcome("preempted", "j"), exceptions.ArmadaJobPreempted, True),
        (Outcome("cancelled", "j"), exceptions.ArmadaJobCancelled, False),
        (Outcome("lost", "j"), exceptions.ArmadaJobLost, True),
        (Outcome("timed_out", "j"), exceptions.ArmadaJobTimedOut, True),
        (Outcome("queued_too_long", "j"), exceptions.ArmadaJobQueuedTooLong, True),
    ],
)
def test_each_end_has_its_class_and_only_hopeless_ones_forbid_a_retry(
    outcome: Outcome, expected: type[Exception], retried: bool
) -> None:
    error = job_error(outcome)

    assert type(error) is expected
    assert isinstance(error, AirflowException)
    assert isinstance(error, AirflowFailException) is not retried


def test_every_end_but_success_has_a_text_of_its_own() -> None:
    texts = {str(job_error(Outcome(status, "j"))) for status in STATUSES - {SUCCEEDED}}

    assert len(texts) == len(STATUSES) - 1
    assert not any("Ended as" in text for text in texts)


def test_memory_eviction_and_deadline_are_failures() -> None:
    for cause in ("OOM", "Evicted", "DeadlineExceeded"):
        assert isinstance(job_error(Outcome("failed", "j", cause=cause)), exceptions.ArmadaJobFailed)


def test_a_passed_execution_timeout_is_what_airflow_users_expect() -> None:
    assert isinstance(job_error(Outcome("timed_out", "j")), AirflowTaskTimeout)


def test_text_begins_with_the_cause_and_ends_with_which_job_it_was() -> None:
    text = str(job_error(FAILED, job_url="https://lookout/jobs/01k9job", last_lines=["before", "the very end"]))

    assert text.splitlines() == [
        "Exit code 137, SIGKILL in container base: container base failed",
        "Last log lines:",
        "  before",
        "  the very end",
        "Armada job 01k9job: queue research, job set dag.run, cluster cluster-a, node node-7, category user/bad-input",
        "https://lookout/jobs/01k9job",
    ]


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (Outcome("failed", "j", exit_codes={"base": 3}), "Exit code 3"),
        (
            Outcome("failed", "j", exit_codes={"b": 3}, reason="Container b failed with exit code 3 because Error:"),
            "Exit code 3",
        ),
        (
            Outcome("failed", "j", exit_codes={"b": 3}, reason="Container b failed with exit code 3 because Error: no"),
            "Exit code 3: no",
        ),
        (Outcome("failed", "j", exit_codes={"base": 3}, reason="bad input\nat line 5"), "Exit code 3: bad input"),
        (Outcome("failed", "j", exit_codes={"base": 0, "sidecar": 1}), "Exit code 1 in container sidecar"),
        (Outcome("failed", "j", exit_codes={"base": 137}, cause="OOM"), "Out of memory (exit code 137, SIGKILL)"),
        (Outcome("failed", "j", cause="Evicted", reason="disk"), "Evicted by its node: disk"),
        (Outcome("failed", "j", reason="image not found"), "Failed: image not found"),
        (Outcome("preempted", "j", preempting_job_id="k"), "Preempted by job k"),
        (Outcome("cancelled", "j", requestor="ada"), "Cancelled by ada"),
        (
            Outcome("rejected", "j", reason="no node is large enough"),
            "Rejected by the scheduler: no node is large enough",
        ),
    ],
)
def test_a_few_words_say_how_a_job_ended(outcome: Outcome, headline: str) -> None:
    assert str(job_error(outcome)).splitlines()[0] == headline


@pytest.mark.parametrize(
    ("exit_codes", "limits", "headline"),
    [
        ({"base": 137}, ("base=2Gi",), "Out of memory at the limit of 2Gi (exit code 137, SIGKILL)"),
        (
            {"base": 0, "side": 137},
            ("base=2Gi", "side=64Mi"),
            "Out of memory at the limit of 64Mi (exit code 137, SIGKILL in container side)",
        ),
        ({}, ("base=2Gi",), "Out of memory at the limit of 2Gi"),
        ({}, ("base=2Gi", "side=64Mi"), "Out of memory"),
        ({"base": 137}, (), "Out of memory (exit code 137, SIGKILL)"),
    ],
)
def test_out_of_memory_names_the_limit_that_was_reached(
    exit_codes: dict[str, int], limits: tuple[str, ...], headline: str
) -> None:
    outcome = Outcome("failed", "j", exit_codes=exit_codes, cause="OOM")

    assert str(job_error(outcome, memory_limits=limits)).splitlines()[0] == headline


def test_text_stays_readable_however_much_there_is() -> None:
    error = job_error(
        Outcome("failed", "j", reason="because " * 10_000), last_lines=["x" * 5_000 for _ in range(1_000)]
    )

    assert len(str(error)) < 6_000


@pytest.mark.parametrize("status", sorted(STATUSES - {SUCCEEDED}))
def test_survives_pickling_with_its_facts(status: str) -> None:
    error = job_error(Outcome(status, "j", queue="q", exit_codes={"base": 3}))

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.outcome == error.outcome


@pytest.mark.parametrize("status", sorted(STATUSES - {SUCCEEDED}))
def test_survives_airflows_own_serialisation(status: str) -> None:
    from airflow.serialization.serialized_objects import BaseSerialization

    error = job_error(Outcome(status, "j", queue="q", exit_codes={"base": 3}))

    copy = BaseSerialization.deserialize(BaseSerialization.serialize(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.outcome == error.outcome


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Unavailable(StatusCode.UNAVAILABLE, "away"), exceptions.ArmadaUnavailable),
        (Unauthenticated(StatusCode.UNAUTHENTICATED, "expired"), exceptions.ArmadaUnavailable),
        (CredentialsError("no answer", transient=True), exceptions.ArmadaUnavailable),
        (CredentialsError("no such file"), exceptions.ArmadaRefused),
        (InvalidRequest(StatusCode.INVALID_ARGUMENT, "no"), exceptions.ArmadaRefused),
        (PermissionDenied(StatusCode.PERMISSION_DENIED, "no"), exceptions.ArmadaRefused),
    ],
)
def test_a_refused_call_is_not_retried_but_one_that_may_pass_is(failure: Exception, expected: type[Exception]) -> None:
    error = exceptions.call_error(failure, "submit the job to queue 'q'")

    assert type(error) is expected
    assert str(error) == f"Could not submit the job to queue 'q': {failure}"
