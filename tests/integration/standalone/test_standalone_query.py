"""The query API."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from airflow_armada.api import job_pb2, methods, submit_pb2
from airflow_armada.standalone.config import Config
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, shell, wait_until

JOBS = methods.Jobs


def test_details_of_a_job_that_has_ended(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true"), namespace="lab"))
    armada.end_of(job_id)

    details = armada.details(job_id)

    assert (details.queue, details.jobset, details.namespace) == (QUEUE, JOB_SET, "lab")
    assert details.state == submit_pb2.SUCCEEDED
    (run,) = details.job_runs
    assert run.run_id == details.latest_run_id
    assert (run.state, run.cluster, run.node) == (job_pb2.RUN_STATE_SUCCEEDED, "standalone", "standalone-node")
    times = [stamp.ToNanoseconds() for stamp in (run.leased_ts, run.pending_ts, run.started_ts, run.finished_ts)]
    assert details.submitted_ts.ToNanoseconds() <= times[0]
    assert times == sorted(times)
    answer = armada.call(JOBS.GET_JOB_RUN_DETAILS, run_ids=[run.run_id, "unknown"])
    assert dict(answer.job_run_details) == {run.run_id: run}


def test_details_come_without_spec_and_runs_unless_asked_for(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true")))
    armada.end_of(job_id)

    details = armada.call(JOBS.GET_JOB_DETAILS, job_ids=[job_id]).job_details[job_id]

    assert not details.HasField("job_spec")
    assert list(details.job_runs) == []


def test_unknown_ids_are_unknown_in_a_status_and_missing_elsewhere(armada: Armada) -> None:
    assert armada.state("nobody") == "UNKNOWN"
    assert dict(armada.call(JOBS.GET_JOB_DETAILS, job_ids=["nobody"]).job_details) == {}
    assert dict(armada.call(JOBS.GET_JOB_ERRORS, job_ids=["nobody"]).job_errors) == {}


def test_errors_are_those_of_the_latest_run(armada: Armada) -> None:
    good, bad = armada.submit(job(container("true")), job(shell("exit 9")))
    armada.end_of(good), armada.end_of(bad)

    errors = armada.call(JOBS.GET_JOB_ERRORS, job_ids=[good, bad]).job_errors

    assert dict(errors) == {good: "", bad: "Container main failed with exit code 9 because Error: \n"}


@pytest.mark.parametrize(
    ("method", "field"),
    [
        (JOBS.GET_JOB_STATUS, "job_ids"),
        (JOBS.GET_JOB_DETAILS, "job_ids"),
        (JOBS.GET_JOB_ERRORS, "job_ids"),
        (JOBS.GET_JOB_RUN_DETAILS, "run_ids"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_at_most_500_ids_are_answered(armada: Armada, method: object, field: str) -> None:
    armada.call(method, **{field: ["x"] * 500})

    code, text = armada.refused(method, **{field: ["x"] * 501})

    assert code == grpc.StatusCode.UNKNOWN
    assert "request contained more than 500" in text


def test_an_empty_external_uri_is_refused(armada: Armada) -> None:
    code, _ = armada.refused(JOBS.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI, queue=QUEUE, jobset=JOB_SET)

    assert code == grpc.StatusCode.UNKNOWN


def test_active_queues(armada: Armada) -> None:
    assert dict(armada.call(JOBS.GET_ACTIVE_QUEUES).active_queues_by_pool) == {}

    (job_id,) = armada.submit(job(container("sleep", "1000")))
    armada.events_until(job_id, "running")

    assert list(armada.call(JOBS.GET_ACTIVE_QUEUES).active_queues_by_pool["default"].queues) == [QUEUE]


def test_a_lagging_query_api_shows_what_was(server: StandaloneArmada, armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true")))
    armada.end_of(job_id)

    server.faults.query_lag = 3600.0
    assert armada.state(job_id) == "UNKNOWN"
    assert dict(armada.call(JOBS.GET_JOB_DETAILS, job_ids=[job_id]).job_details) == {}

    server.faults.clear()
    assert armada.state(job_id) == "SUCCEEDED"


def test_a_pruned_job_looks_as_if_it_had_never_been(server: StandaloneArmada, armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("true"), external_job_uri="airflow://x"))
    armada.end_of(job_id)

    server.disruptions.prune_job(job_id)

    assert armada.state(job_id) == "UNKNOWN"
    answer = armada.call(
        JOBS.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI, queue=QUEUE, jobset=JOB_SET, external_job_uri="airflow://x"
    )
    assert dict(answer.job_states) == {}


@pytest.fixture
def talkative() -> Iterator[Armada]:
    """Calls to a server that reports what jobs use all the time."""
    with StandaloneArmada(config=Config(utilisation_interval=0.0)) as server:
        server.create_queue(QUEUE)
        yield Armada(server.target)


def test_running_jobs_report_what_they_use(talkative: Armada) -> None:
    busy = "import time; x = bytearray(30_000_000)\nwhile True: time.process_time()"
    (job_id,) = talkative.submit(job(container("python3", "-c", busy)))

    wait_until(lambda: _largest_memory(talkative, job_id) > 20_000_000)


def _largest_memory(armada: Armada, job_id: str) -> int:
    reports = [message.message.utilisation for message in armada.replay() if message.message.HasField("utilisation")]
    return max((int(report.MaxResourcesForPeriod["memory"].string) for report in reports), default=0)
