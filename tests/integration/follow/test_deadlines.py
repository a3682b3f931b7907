"""No deadline decides before the truth about the job has been asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import grpc
import pytest

from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import Site, shared_site
from airflow_armada.follow.state.outcome import Outcome
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import DETAILS, EVENTS, ScriptedArmada
from tests.integration.follow.test_events import within

AWAY = grpc.StatusCode.UNKNOWN, "connection refused"
RECENT, LONG_AGO = 40.0, 7200.0
"""Seconds since the submission: a new stream begins before the first, and after the second."""


def begin(site: Site, job: FollowedJob, **deadlines: float) -> asyncio.Task[Outcome]:
    return asyncio.create_task(follow(site, job, Remembering(), FollowOptions(get_logs=False, **deadlines)))


def tell(armada: ScriptedArmada, job: FollowedJob, *kinds: str) -> None:
    """Store events of a job that happened one after the other, long before anybody follows it."""
    for number, kind in enumerate(kinds):
        at = job.submitted_at + 0.1 * number
        armada.emit(QUEUE, JOB_SET, job.job_id, kind, at=at, **({"cluster_id": "c1"} if kind == "running" else {}))


def tells_at_once(armada: ScriptedArmada, job: FollowedJob, state: str) -> None:
    armada.know(job.job_id, state, at=job.submitted_at + 1)


def lags(armada: ScriptedArmada, job: FollowedJob, state: str) -> None:
    armada.know(job.job_id, "QUEUED", at=job.submitted_at)


def is_empty(armada: ScriptedArmada, job: FollowedJob, state: str) -> None:
    del armada, job, state


def is_away(armada: ScriptedArmada, job: FollowedJob, state: str) -> None:
    armada.refuse(DETAILS, *AWAY)


records = pytest.mark.parametrize(
    "query_service", [tells_at_once, lags, is_empty, is_away], ids=lambda one: one.__name__
)
ages = pytest.mark.parametrize("age", [RECENT, LONG_AGO], ids=["recent", "long ago"])
QueryService = Callable[[ScriptedArmada, FollowedJob, str], None]


@ages
@records
async def test_a_job_that_runs_is_not_queued_too_long_for_who_follows_it_anew(
    armada: ScriptedArmada, query_service: QueryService, age: float
) -> None:
    job = a_job(submitted_at=time.time() - age)
    tell(armada, job, "submitted", "queued", "leased", "pending", "running")
    query_service(armada, job, "RUNNING")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, queued_deadline=job.submitted_at + 30)
        await until(lambda: task.done() or (site.watches and site.watches[QUEUE, JOB_SET].jobs[job.job_id].state.ran))
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


@ages
@records
async def test_an_end_that_came_before_the_deadline_is_that_end(
    armada: ScriptedArmada, query_service: QueryService, age: float
) -> None:
    job = a_job(submitted_at=time.time() - age)
    tell(armada, job, "submitted", "queued", "leased", "pending", "running", "succeeded")
    query_service(armada, job, "SUCCEEDED")
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job, deadline=job.submitted_at + 30))

    assert outcome.status == "succeeded"


@ages
async def test_an_end_that_only_the_records_know_any_more_is_that_end(armada: ScriptedArmada, age: float) -> None:
    job = a_job(submitted_at=time.time() - age)
    armada.finish(job.job_id, "SUCCEEDED", at=job.submitted_at + 1)
    armada.refuse(EVENTS, grpc.StatusCode.UNAVAILABLE, "redis is away")
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job, deadline=job.submitted_at + 30))

    assert outcome.status == "succeeded"


@ages
async def test_a_deadline_waits_for_an_armada_that_is_away(armada: ScriptedArmada, age: float) -> None:
    job = a_job(submitted_at=time.time() - age)
    tell(armada, job, "submitted", "queued", "leased", "pending", "running", "succeeded")
    armada.refuse(DETAILS, *AWAY)
    armada.refuse(EVENTS, grpc.StatusCode.UNAVAILABLE, "nobody there")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, deadline=job.submitted_at + 30, queued_deadline=job.submitted_at + 20)
        await until(lambda: armada.calls[DETAILS] >= 4)
        assert not task.done()
        armada.accept(EVENTS)
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_history_that_has_expired_decides_nothing_while_the_records_are_away(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - LONG_AGO)
    armada.refuse(DETAILS, *AWAY)
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, queued_deadline=job.submitted_at + 30)
        await until(lambda: armada.calls[DETAILS] >= 5)
        assert not task.done()
        armada.accept(DETAILS)
        armada.know(job.job_id, "RUNNING", at=job.submitted_at + 1)
        await until(lambda: site.watches[QUEUE, JOB_SET].jobs[job.job_id].state.ran)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_deadline_does_not_wait_for_ever(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.refuse(DETAILS, *AWAY)
    armada.refuse(EVENTS, grpc.StatusCode.UNAVAILABLE, "nobody there")
    async with shared_site(armada.settings(), replace(QUICK, deadline_grace=0.5)) as site:
        outcome = await within(begin(site, job, deadline=time.time() - 1))

    assert outcome.status == "timed_out"


@ages
async def test_deadlines_of_jobs_that_have_not_ended_decide(armada: ScriptedArmada, age: float) -> None:
    queued, running = a_job(1, submitted_at=time.time() - age), a_job(2, submitted_at=time.time() - age)
    tell(armada, queued, "submitted", "queued")
    armada.know(queued.job_id, "QUEUED", at=queued.submitted_at)
    tell(armada, running, "submitted", "queued", "leased", "pending", "running")
    armada.know(running.job_id, "RUNNING", at=running.submitted_at)
    async with shared_site(armada.settings(), QUICK) as site:
        waiting = begin(site, queued, queued_deadline=queued.submitted_at + 30)
        working = begin(site, running, deadline=running.submitted_at + 30)
        outcomes = await asyncio.gather(within(waiting), within(working))

    assert [outcome.status for outcome in outcomes] == ["queued_too_long", "timed_out"]


async def test_many_jobs_whose_deadline_has_passed_are_asked_for_together(armada: ScriptedArmada) -> None:
    jobs = [a_job(number, submitted_at=time.time() - LONG_AGO) for number in range(300)]
    for job in jobs:
        tell(armada, job, "submitted", "queued", "running")
    async with shared_site(armada.settings(), QUICK) as site:
        outcomes = await asyncio.gather(*(within(begin(site, job, deadline=time.time())) for job in jobs))

    assert {outcome.status for outcome in outcomes} == {"timed_out"}
    assert all(outcome.ran for outcome in outcomes)
    assert armada.calls[DETAILS] <= 30  # 4 on a quiet machine
    assert armada.calls[EVENTS] <= 30


@pytest.mark.parametrize(("cancelled_after", "status"), [(35.0, "timed_out"), (20.0, "cancelled")])
async def test_who_takes_over_from_the_trigger_that_cancelled_an_overdue_job_says_so_too(
    armada: ScriptedArmada, cancelled_after: float, status: str
) -> None:
    job = a_job(submitted_at=time.time() - RECENT)
    tell(armada, job, "submitted", "queued", "leased", "pending", "running")
    armada.emit(QUEUE, JOB_SET, job.job_id, "cancelled", at=job.submitted_at + cancelled_after)
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job, deadline=job.submitted_at + 30))

    assert outcome.status == status
