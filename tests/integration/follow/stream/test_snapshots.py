"""What events do not tell, the query API does; and it takes both to call a job lost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import grpc

from airflow_armada.api import event_pb2
from airflow_armada.follow.site import shared_site
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import DETAILS, EVENTS, ScriptedArmada
from tests.integration.follow.test_events import begin, run_to, within


async def test_a_job_that_nobody_knows_is_lost_after_a_grace_time(armada: ScriptedArmada) -> None:
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, a_job()))

    assert outcome.status == "lost"
    assert "neither its job set's events nor Armada's records have it" in outcome.reason


async def test_a_job_that_only_the_events_know_is_not_lost(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
        await until(lambda: armada.calls[DETAILS] >= 4)
        assert not task.done()
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_job_that_the_history_knows_is_not_lost_although_the_watch_began_too_late(
    armada: ScriptedArmada,
) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.emit(QUEUE, JOB_SET, job.job_id, "running", at=time.time() - 3000, cluster_id="c1", node_name="n1")
    reporter = Remembering()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        await until(lambda: any("running on n1" in text for text in reporter.states))
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_job_is_not_lost_while_the_history_cannot_be_read(armada: ScriptedArmada) -> None:
    armada.refuse(EVENTS, grpc.StatusCode.UNAVAILABLE, "redis is away")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, a_job())
        await until(lambda: armada.calls[DETAILS] >= 6)
        assert not task.done()
        armada.accept(EVENTS)
        outcome = await within(task)

    assert outcome.status == "lost"


async def test_a_job_that_was_pruned_is_lost_with_another_text(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.know(job.job_id, "RUNNING")
    reporter = Remembering()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        await until(lambda: any("running" in text for text in reporter.states))
        del armada.details[job.job_id]
        outcome = await within(task)

    assert (outcome.status, outcome.reason) == ("lost", "it was pruned from Armada's records before its end was seen")


async def test_a_failure_in_an_old_history_is_told_in_full(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.emit(
        QUEUE,
        JOB_SET,
        job.job_id,
        "failed",
        at=time.time() - 1800,
        reason="exit 3",
        container_statuses=[event_pb2.ContainerStatus(name="main", exitCode=3)],
    )
    armada.finish(job.job_id, "FAILED", at=time.time() - 1800)
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job))

    assert (outcome.status, outcome.reason, outcome.exit_codes) == ("failed", "exit 3", {"main": 3})


async def test_a_failure_whose_history_has_expired_is_told_from_the_records(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.finish(job.job_id, "FAILED")
    armada.errors[job.job_id] = "container main exited with 3"
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job))

    assert (outcome.status, outcome.reason) == ("failed", "container main exited with 3")
    assert (outcome.cluster, outcome.node, outcome.run_id) == ("c1", "n1", "run-1")


async def test_ends_of_every_kind_are_told_from_the_records(armada: ScriptedArmada) -> None:
    old = time.time() - 3600
    ends = {
        "SUCCEEDED": "succeeded",
        "FAILED": "failed",
        "CANCELLED": "cancelled",
        "PREEMPTED": "preempted",
        "REJECTED": "rejected",
    }
    jobs = {state: a_job(number, submitted_at=old) for number, state in enumerate(ends)}
    for state, job in jobs.items():
        armada.finish(job.job_id, state)
    async with shared_site(armada.settings(), QUICK) as site:
        outcomes = await asyncio.gather(*(within(begin(site, job)) for job in jobs.values()))

    assert dict(zip(ends, [outcome.status for outcome in outcomes], strict=True)) == ends


async def test_records_that_lag_behind_the_events_change_nothing(armada: ScriptedArmada) -> None:
    job = a_job()
    reporter = Remembering()
    armada.know(job.job_id, "QUEUED", at=time.time() - 60)
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        armada.emit(QUEUE, JOB_SET, job.job_id, "running", cluster_id="c1", node_name="n1")
        await until(lambda: armada.calls[DETAILS] >= 3)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert not any("queued" in text for text in reporter.states)


async def test_a_stream_that_never_tells_of_a_job_does_not_hide_its_end(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.know(job.job_id, "SUCCEEDED")
    async with shared_site(armada.settings(), replace(QUICK, sweep=60.0, max_sweep=60.0)) as site:
        outcome = await within(begin(site, job))

    assert outcome.status == "succeeded"


async def test_a_record_that_lags_behind_a_stream_that_has_passed_the_end_does_not_hide_it(
    armada: ScriptedArmada,
) -> None:
    first, late = a_job(1), a_job(2, submitted_at=time.time() - 10)
    async with shared_site(armada.settings(), replace(QUICK, sweep=60.0, max_sweep=60.0)) as site:
        following = begin(site, first)
        await until(lambda: site.watches and site.watches[QUEUE, JOB_SET].stream.opened)
        run_to(armada, late, "succeeded")
        await until(lambda: site.watches[QUEUE, JOB_SET].stream.events >= 6)
        armada.know(late.job_id, "RUNNING")
        task = begin(site, late)
        await until(lambda: late.job_id in site.watches[QUEUE, JOB_SET].jobs)
        await until(lambda: site.watches[QUEUE, JOB_SET].jobs[late.job_id].known)

        armada.finish(late.job_id, "SUCCEEDED")
        outcome = await within(task)

        assert site.watches[QUEUE, JOB_SET].stream.opened == 1
        following.cancel()

    assert outcome.status == "succeeded"


async def test_silent_jobs_are_looked_up_less_and_less(armada: ScriptedArmada) -> None:
    jobs = [a_job(number) for number in range(100)]
    for job in jobs:
        armada.know(job.job_id, "RUNNING")
    async with shared_site(armada.settings(), replace(QUICK, sweep=0.2, max_sweep=60.0)) as site:
        following = [begin(site, job) for job in jobs]
        await until(lambda: armada.calls[DETAILS] >= 4)
        intervals = {tracked.interval for tracked in site.watches[QUEUE, JOB_SET].jobs.values()}
        run_to(armada, jobs[0], "succeeded")
        await within(following[0])
        for task in following[1:]:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    assert all(len(request.job_ids) == 100 for request in armada.requests[DETAILS][:3])
    assert min(intervals) > 0.5


async def test_a_running_job_whose_record_vanishes_is_not_lost_while_the_history_has_it(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.know(job.job_id, "RUNNING")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.emit(QUEUE, JOB_SET, job.job_id, "running", cluster_id="c1", node_name="n1")
        await until(lambda: armada.calls[DETAILS] >= 2)
        del armada.details[job.job_id]
        await until(lambda: armada.calls[EVENTS] >= 2)
        await until(lambda: armada.calls[DETAILS] >= 6)
        assert not task.done()
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_stream_that_hides_an_end_is_opened_again(armada: ScriptedArmada) -> None:
    jobs = [a_job(1), a_job(2)]
    for job in jobs:
        armada.know(job.job_id, "RUNNING")
    async with shared_site(armada.settings(), QUICK) as site:
        first, second = (begin(site, job) for job in jobs)
        await until(lambda: armada.streams == 1 and armada.calls[DETAILS] >= 3)
        armada.stuck.add(JOB_SET)
        armada.drop_streams()
        await until(lambda: armada.calls[EVENTS] == 2)
        armada.finish(jobs[0].job_id, "SUCCEEDED")
        await within(first)
        armada.stuck.clear()
        armada.emit(QUEUE, JOB_SET, jobs[1].job_id, "succeeded")
        outcome = await within(second)

    assert outcome.status == "succeeded"
    assert armada.calls[EVENTS] >= 3


async def test_a_stream_whose_event_comes_a_little_after_the_snapshot_stays_open(armada: ScriptedArmada) -> None:
    jobs = [a_job(1), a_job(2)]
    for job in jobs:
        armada.know(job.job_id, "RUNNING")
    timings = replace(QUICK, sweep=0.2, degraded_sweep=0.1, settle=0.2)
    async with shared_site(armada.settings(), timings) as site:
        following = [begin(site, job) for job in jobs]
        await until(lambda: armada.calls[DETAILS] >= 3)
        armada.finish(jobs[0].job_id, "SUCCEEDED")
        await within(following[0])
        armada.emit(QUEUE, JOB_SET, jobs[0].job_id, "succeeded")
        looked_up = armada.calls[DETAILS]
        await until(lambda: armada.calls[DETAILS] >= looked_up + 3)
        armada.emit(QUEUE, JOB_SET, jobs[1].job_id, "succeeded")
        await within(following[1])

    assert armada.calls[EVENTS] == 1


async def test_an_inquiry_that_takes_long_delays_no_other_job_set(armada: ScriptedArmada) -> None:
    old = time.time() - 3600
    slow, quick = a_job(1, job_set="slow", submitted_at=old), a_job(2, job_set="quick", submitted_at=old)
    armada.stuck.add("slow")
    armada.finish(slow.job_id, "FAILED")
    armada.finish(quick.job_id, "FAILED")
    async with shared_site(armada.settings(), QUICK) as site:
        waiting, task = begin(site, slow), begin(site, quick)
        outcome = await within(task)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert outcome.status == "failed"


async def test_a_history_that_takes_too_long_gives_way_to_the_records(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.stuck.add(JOB_SET)
    armada.finish(job.job_id, "FAILED")
    armada.errors[job.job_id] = "exit 3"
    async with shared_site(armada.settings(), replace(QUICK, replay=0.3)) as site:
        outcome = await within(begin(site, job))

    assert (outcome.status, outcome.reason) == ("failed", "exit 3")
