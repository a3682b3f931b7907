"""A job is followed over the event stream of its job set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from airflow_armada.api import event_pb2
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import Site, shared_site
from airflow_armada.follow.state.outcome import Outcome
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import DETAILS, EVENTS, ScriptedArmada
from tests.support.proxy import fault_proxy

QUIET = FollowOptions(get_logs=False)


def begin(site: Site, job: FollowedJob, reporter: Remembering | None = None) -> asyncio.Task[Outcome]:
    return asyncio.create_task(follow(site, job, reporter or Remembering(), QUIET))


def run_to(armada: ScriptedArmada, job: FollowedJob, end: str, **fields: Any) -> None:
    def emit(kind: str, **more: Any) -> None:
        armada.emit(job.ref.queue, job.ref.job_set_id, job.job_id, kind, **more)

    emit("submitted")
    emit("queued")
    emit("leased", cluster_id="c1", pool="cpu")
    emit("pending", cluster_id="c1", pod_name="pod-1", pod_namespace="ns", pool="cpu")
    emit("running", cluster_id="c1", node_name="n1", pod_name="pod-1", pod_namespace="ns", pool="cpu")
    emit(end, **fields)


async def within(awaitable: Awaitable[Outcome], seconds: float = 20.0) -> Outcome:
    return await asyncio.wait_for(awaitable, seconds)


async def test_a_job_that_succeeds_is_told_with_the_facts_of_its_run(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert (outcome.cluster, outcome.pool, outcome.node, outcome.pod) == ("c1", "cpu", "n1", "pod-1")
    assert outcome.ran
    assert outcome.submitted_at <= outcome.leased_at <= outcome.pending_at <= outcome.running_at <= outcome.finished_at
    assert reporter.states[-1] == f"Job {job.job_id} succeeded"
    assert len(set(reporter.states)) == len(reporter.states)


async def test_a_failure_is_told_with_exit_codes_cause_and_category(armada: ScriptedArmada) -> None:
    job = a_job()
    statuses = [event_pb2.ContainerStatus(name="main", exitCode=137), event_pb2.ContainerStatus(name="side")]
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        run_to(
            armada,
            job,
            "failed",
            reason="out of memory",
            cause=event_pb2.OOM,
            container_statuses=statuses,
            failure_category="user",
            failure_subcategory="memory",
        )
        outcome = await within(task)

    assert (outcome.status, outcome.cause, outcome.reason) == ("failed", "OOM", "out of memory")
    assert outcome.exit_codes == {"main": 137, "side": 0}
    assert (outcome.failure_category, outcome.failure_subcategory) == ("user", "memory")


async def test_a_failure_after_a_preemption_is_a_preemption(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        run_to(armada, job, "preempted", reason="urgent", run_id="r1", preempting_job_id="other")
        armada.emit(QUEUE, JOB_SET, job.job_id, "failed", reason="urgent")
        outcome = await within(task)

    assert (outcome.status, outcome.reason, outcome.cause) == ("preempted", "urgent", "")
    assert (outcome.run_id, outcome.preempting_job_id) == ("r1", "other")


async def test_a_returned_lease_and_a_retried_failure_are_no_end(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        run_to(armada, job, "lease_returned", cluster_id="c1", reason="image cannot be pulled")
        await until(lambda: any("image cannot be pulled" in text for text in reporter.states))
        armada.emit(QUEUE, JOB_SET, job.job_id, "leased", cluster_id="c2")
        armada.emit(QUEUE, JOB_SET, job.job_id, "failed", reason="exit 1", retryable=True)
        await until(lambda: any("tries it again" in text for text in reporter.states))
        assert not task.done()
        armada.emit(QUEUE, JOB_SET, job.job_id, "leased", cluster_id="c3")
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert (outcome.status, outcome.cluster) == ("succeeded", "c3")


@pytest.mark.parametrize("kind", ["cancelled", "succeeded"])
async def test_events_that_came_before_the_follower_are_read_too(armada: ScriptedArmada, kind: str) -> None:
    job = a_job()
    run_to(armada, job, kind)

    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job))

    assert outcome.status == kind


async def test_two_hundred_followers_of_a_job_set_share_one_stream(armada: ScriptedArmada) -> None:
    jobs = [a_job(number) for number in range(200)]
    for job in jobs:
        armada.know(job.job_id, "QUEUED")  # else the history is asked for them, however long the test takes
    async with shared_site(armada.settings(), QUICK) as site:
        following = [begin(site, job) for job in jobs]
        for job in jobs:
            run_to(armada, job, "succeeded")
        outcomes = await asyncio.gather(*(within(task) for task in following))

    assert [outcome.job_id for outcome in outcomes] == [job.job_id for job in jobs]
    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert armada.calls[EVENTS] == 1


async def test_joiners_of_a_running_watch_are_looked_up_together(armada: ScriptedArmada) -> None:
    now = time.time()

    def asked() -> list[int]:
        return [len(request.job_ids) for request in armada.requests[DETAILS]]

    async with shared_site(armada.settings(), replace(QUICK, sweep=60, max_sweep=60, degraded_sweep=60)) as site:
        first = begin(site, a_job(0, submitted_at=now))
        await until(lambda: armada.streams == 1)
        armada.emit(QUEUE, JOB_SET, "somebody else's", "queued", at=now)
        await until(lambda: site.watches[QUEUE, JOB_SET].stream.events == 1)
        late = [begin(site, a_job(number, submitted_at=now - 1)) for number in range(1, 700)]
        await until(lambda: sum(asked()) >= 699)
        for task in (first, *late):
            task.cancel()
        await asyncio.gather(first, *late, return_exceptions=True)

    # How many join in the moment in which a call is collected is the machine's: 2 calls on a quiet one.
    assert sum(asked()) == 699
    assert max(asked()) <= 500
    assert len(asked()) <= 10


async def test_a_watch_begins_shortly_before_its_first_job(armada: ScriptedArmada) -> None:
    old = time.time() - 60
    for number in range(50):
        armada.emit(QUEUE, JOB_SET, f"old-{number}", "queued", at=old)
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        run_to(armada, job, "succeeded")
        await within(task)
        seen = site.watches[QUEUE, JOB_SET].stream.events

    assert seen == 6


async def test_the_whole_job_in_a_submitted_event_is_not_decoded_but_the_event_counts(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.emit(QUEUE, JOB_SET, job.job_id, "submitted", job={"id": job.job_id, "namespace": "x" * 60_000})
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.submitted_at


async def test_cancelling_the_caller_detaches_and_closes_the_stream_after_a_while(armada: ScriptedArmada) -> None:
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, a_job())
        await until(lambda: armada.streams == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: armada.streams == 0)

    assert set(armada.calls) <= {EVENTS, DETAILS}


async def test_followers_of_one_job_all_get_its_end(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        following = [begin(site, job) for _ in range(3)]
        await until(lambda: armada.streams == 1)
        run_to(armada, job, "succeeded")
        outcomes = await asyncio.gather(*(within(task) for task in following))

    assert len({id(outcome) for outcome in outcomes}) == 3
    assert {outcome.status for outcome in outcomes} == {"succeeded"}


async def test_deadlines_end_the_wait_and_not_the_job(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.reports[job.job_id] = "cpu:\n  UnschedulableReason: no room for 64 cpu\n"
    armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
    async with shared_site(armada.settings(), QUICK) as site:
        queued = FollowOptions(get_logs=False, queued_deadline=time.time() + 0.1)
        waiting = await within(follow(site, job, Remembering(), queued))
        late = FollowOptions(get_logs=False, deadline=time.time() + 0.1)
        timed_out = await within(follow(site, job, Remembering(), late))

    assert (waiting.status, waiting.reason) == ("queued_too_long", "no room for 64 cpu")
    assert timed_out.status == "timed_out"


async def test_a_job_that_waits_long_is_explained_once_in_the_schedulers_words(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    armada.reports[job.job_id] = "cpu:\n  UnschedulableReason: no room for 64 cpu\n"
    options = FollowOptions(get_logs=False, explain_after=0.05)
    async with shared_site(armada.settings(), replace(QUICK, explain_interval=0.05)) as site:
        task = asyncio.create_task(follow(site, job, reporter, options))
        armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
        await until(lambda: armada.calls["/schedulerobjects.SchedulerReporting/GetJobReport"] >= 3)
        armada.emit(QUEUE, JOB_SET, job.job_id, "cancelled", requestor="ann")
        outcome = await within(task)

    assert sum("no room for 64 cpu" in text for text in reporter.states) == 1
    assert (outcome.status, outcome.requestor) == ("cancelled", "ann")


async def test_a_cordoned_queue_is_named_and_asked_for_once_however_many_jobs_wait(armada: ScriptedArmada) -> None:
    jobs, reporters = [a_job(number) for number in range(20)], [Remembering() for _ in range(20)]
    armada.cordoned.add(QUEUE)
    options = FollowOptions(get_logs=False, explain_after=0.05)
    async with shared_site(armada.settings(), QUICK) as site:
        tasks = [
            asyncio.create_task(follow(site, job, each, options)) for job, each in zip(jobs, reporters, strict=True)
        ]
        for job in jobs:
            armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
        await until(lambda: all(any("is cordoned" in text for text in each.states) for each in reporters))
        for job in jobs:
            armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await asyncio.gather(*(within(task) for task in tasks))

    assert sum(armada.calls[path] for path in armada.calls if path.endswith("/GetQueue")) == 1
    assert not any(path.endswith("/GetJobReport") for path in armada.calls)


async def test_a_scheduler_that_has_no_answer_is_not_quoted(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    armada.reports[job.job_id] = f"default:\n Most recent scheduling round that affected job {job.job_id}: none\n"
    options = FollowOptions(get_logs=False, explain_after=0.05)
    async with shared_site(armada.settings(), replace(QUICK, explain_interval=0.05)) as site:
        task = asyncio.create_task(follow(site, job, reporter, options))
        armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
        await until(lambda: armada.calls["/schedulerobjects.SchedulerReporting/GetJobReport"] >= 3)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert not any("still queued" in text for text in reporter.states)


async def test_many_streams_are_spread_over_connections(armada: ScriptedArmada) -> None:
    async with fault_proxy(armada.port) as proxy:
        settings = armada.settings(target=f"127.0.0.1:{proxy.port}")
        async with shared_site(settings, replace(QUICK, sweep=60, max_sweep=60, degraded_sweep=60)) as site:
            following = [begin(site, a_job(number, job_set=f"set-{number}")) for number in range(100)]
            await until(lambda: armada.streams == 100)
            connections = proxy.connections
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            await until(lambda: armada.streams == 0)

    assert connections == 2
