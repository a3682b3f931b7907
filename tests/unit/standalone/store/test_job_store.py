"""What is known of jobs, and for how long."""

from __future__ import annotations

from airflow_armada.api import submit_pb2
from airflow_armada.standalone.config import Retention
from airflow_armada.standalone.store.job_store import JobStore
from airflow_armada.standalone.store.model import QUEUED, SUCCEEDED, Job, Run


def ended_job(store: JobStore, job_id: str) -> Job:
    """Put a job with a run and an external URI in a store and end it."""
    job = Job(
        spec=submit_pb2.Job(id=job_id, queue="q", job_set_id="s"),
        requests={},
        gang=None,
        external_uri="uri",
        priority=0,
        serial=0,
    )
    job.enter(QUEUED)
    store.add(job)
    store.add_run(job, Run(id=f"run-of-{job_id}"))
    job.enter(SUCCEEDED)
    store.ended(job)
    return job


def test_an_ended_job_is_known_but_not_alive() -> None:
    store = JobStore(Retention())
    job = ended_job(store, "a")

    assert store.jobs == {"a": job}
    assert store.live == {}
    assert store.live_in("q", "s") == []
    assert store.match("q", "s", ["a"]) == []


def test_a_job_is_forgotten_with_everything_that_leads_to_it() -> None:
    store = JobStore(Retention(jobs=0.0))
    ended_job(store, "a")

    store.apply_retention()

    assert store.jobs == {}
    assert store.by_uri("q", "s", "uri") == []
    assert store.by_run("run-of-a") is None


def test_the_oldest_jobs_go_when_there_are_too_many() -> None:
    store = JobStore(Retention(finished_jobs=2))
    for job_id in "abc":
        ended_job(store, job_id)

    store.apply_retention()

    assert list(store.jobs) == ["b", "c"]
    assert [job.id for job in store.by_uri("q", "s", "uri")] == ["b", "c"]


def test_a_client_id_stands_for_the_first_job_until_it_expires() -> None:
    store = JobStore(Retention())
    store.remember_client_id("q", "x", "a")
    store.remember_client_id("q", "x", "b")
    assert store.original("q", "x") == "a"
    assert store.original("other", "x") is None

    expired = JobStore(Retention(deduplication=0.0))
    expired.remember_client_id("q", "x", "a")
    expired.apply_retention()
    assert expired.original("q", "x") is None
