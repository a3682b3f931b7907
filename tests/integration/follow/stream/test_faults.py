"""Following goes on, and ends with the truth, whatever happens to connections and servers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from airflow_armada.client.auth.credentials import TokenFile
from airflow_armada.client.errors import Unauthenticated
from airflow_armada.follow.site import shared_site
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import DETAILS, EVENTS, ScriptedArmada, scripted_armada
from tests.integration.follow.test_events import begin, run_to, within
from tests.support.proxy import fault_proxy


async def test_a_stream_that_the_server_ends_is_opened_again_behind_the_last_event(armada: ScriptedArmada) -> None:
    def reached(events: int) -> bool:
        return stream.events == events

    def opened(times: int) -> bool:
        return armada.calls[EVENTS] == times

    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        await until(lambda: armada.streams == 1)
        stream = site.watches[QUEUE, JOB_SET].stream
        for number in range(5):
            armada.emit(QUEUE, JOB_SET, job.job_id, "reprioritized", new_priority=number)
            await until(partial(reached, number + 1))
            armada.drop_streams()
            await until(partial(opened, number + 2))
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert stream.events == 6


async def test_a_server_that_restarts_is_waited_for(reporter: Remembering) -> None:
    job = a_job()
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        await until(lambda: armada.streams == 1)
        await armada.stop()
        await until(lambda: any("still waiting" in text for text in reporter.states))
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await armada.start(armada.port)
        outcome = await within(task, 40)

    assert outcome.status == "succeeded"
    assert sum("still waiting" in text for text in reporter.states) == 1


async def test_the_end_of_an_outage_is_told_once(reporter: Remembering) -> None:
    job = a_job()
    async with scripted_armada() as armada, shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, reporter)
        await until(lambda: armada.streams == 1)
        armada.refuse(EVENTS, grpc.StatusCode.UNAVAILABLE, "redis is away")
        armada.drop_streams()
        await until(lambda: any("redis is away" in text for text in reporter.states))
        armada.accept(EVENTS)
        await until(lambda: any("answers again" in text for text in reporter.states))
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert sum("answers again" in text for text in reporter.states) == 1


async def test_a_connection_that_is_reset_loses_nothing(armada: ScriptedArmada) -> None:
    job = a_job()
    async with fault_proxy(armada.port) as proxy:
        settings = armada.settings(target=f"127.0.0.1:{proxy.port}")
        async with shared_site(settings, QUICK) as site:
            task = begin(site, job)
            await until(lambda: armada.streams == 1)
            proxy.reset()
            run_to(armada, job, "succeeded")
            outcome = await within(task)

    assert outcome.status == "succeeded"
    assert outcome.running_at


async def test_a_half_open_stream_is_cut_after_a_silence(armada: ScriptedArmada) -> None:
    job = a_job()
    async with fault_proxy(armada.port) as proxy:
        settings = armada.settings(target=f"127.0.0.1:{proxy.port}", keepalive_time=0)
        async with shared_site(settings, replace(QUICK, idle=0.3, max_idle=0.3)) as site:
            task = begin(site, job)
            await until(lambda: armada.calls[EVENTS] >= 3)
            run_to(armada, job, "succeeded")
            outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_black_hole_hides_an_end_only_until_it_is_over(armada: ScriptedArmada) -> None:
    job = a_job()
    async with fault_proxy(armada.port) as proxy:
        settings = armada.settings(target=f"127.0.0.1:{proxy.port}", call_timeout=0.5, keepalive_time=0)
        async with shared_site(settings, replace(QUICK, idle=0.3, max_idle=0.3)) as site:
            task = begin(site, job)
            await until(lambda: armada.streams == 1)
            proxy.black_hole()
            run_to(armada, job, "succeeded")
            await until(lambda: site.snapshots.error is not None)
            assert not task.done()
            proxy.heal()
            outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_an_end_that_the_stream_hides_is_seen_by_snapshots(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.refuse(EVENTS, grpc.StatusCode.PERMISSION_DENIED, "user lacks permission watch on queue q")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.finish(job.job_id, "SUCCEEDED")
        outcome = await within(task)

    assert (outcome.status, outcome.cluster, outcome.node) == ("succeeded", "c1", "n1")


async def test_an_id_that_the_server_refuses_leads_to_the_beginning(armada: ScriptedArmada) -> None:
    job = a_job()
    text = "Could not convert legacy message id to sequence"
    armada.refuse(EVENTS, grpc.StatusCode.UNKNOWN, text, times=1)
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert [bool(request.from_message_id) for request in armada.requests[EVENTS]] == [True, False]


async def test_a_queue_that_the_server_does_not_know_yet_is_waited_for(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.refuse(EVENTS, grpc.StatusCode.NOT_FOUND, 'could not find queue "q"', times=3)
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_refused_credentials_that_come_back_fail_nothing(armada: ScriptedArmada, tmp_path: Path) -> None:
    job = a_job()
    token = tmp_path / "token"
    token.write_text("old")
    armada.token = "new"
    settings = armada.settings(credentials=TokenFile(str(token)), allow_plaintext_credentials=True)
    async with shared_site(settings, QUICK) as site:
        task = begin(site, job)
        await until(lambda: armada.calls[EVENTS] >= 2 and site.snapshots.error is not None)
        run_to(armada, job, "succeeded")
        token.write_text("new-and-longer")
        armada.token = "new-and-longer"
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_server_that_refuses_us_for_good_is_an_error_in_the_end(armada: ScriptedArmada) -> None:
    armada.token = "secret"
    async with shared_site(armada.settings(), replace(QUICK, refused_grace=0.5)) as site:
        with pytest.raises(Unauthenticated, match="GetJobSetEvents failed with UNAUTHENTICATED"):
            await within(begin(site, a_job()))


async def test_a_refused_stream_alone_is_no_error(armada: ScriptedArmada) -> None:
    job = a_job()
    armada.refuse(EVENTS, grpc.StatusCode.PERMISSION_DENIED, "user lacks permission watch on queue q")
    async with shared_site(armada.settings(), replace(QUICK, refused_grace=0.3)) as site:
        task = begin(site, job)
        armada.know(job.job_id, "RUNNING")
        await until(lambda: armada.calls[DETAILS] >= 4)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_slow_job_set_does_not_slow_the_others(armada: ScriptedArmada) -> None:
    slow, quick = a_job(1, job_set="slow"), a_job(2, job_set="quick")
    armada.stuck.add("slow")
    async with shared_site(armada.settings(), QUICK) as site:
        waiting, task = begin(site, slow), begin(site, quick)
        run_to(armada, slow, "succeeded")
        run_to(armada, quick, "succeeded")
        outcome = await within(task)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert outcome.status == "succeeded"


async def test_nothing_is_left_behind_when_a_site_closes(armada: ScriptedArmada) -> None:
    before = asyncio.all_tasks()
    async with shared_site(armada.settings(), QUICK) as site:
        jobs = [a_job(number, job_set=f"set-{number}") for number in range(20)]
        following = [begin(site, job) for job in jobs]
        for job in jobs:
            run_to(armada, job, "succeeded")
        await asyncio.gather(*(within(task) for task in following))

    def left() -> list[Any]:
        return [task for task in asyncio.all_tasks() - before if "armada" in task.get_name()]

    await until(lambda: not left())
    assert armada.streams == 0


async def test_time_that_runs_backwards_between_machines_hides_nothing(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() + 3600)
    armada.emit(QUEUE, JOB_SET, job.job_id, "queued")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.finish(job.job_id, "SUCCEEDED")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_worker_that_runs_a_loop_of_its_own_closes_everything_at_once(armada: ScriptedArmada) -> None:
    job = a_job()
    run_to(armada, job, "succeeded")
    settings = armada.settings()

    async def work() -> str:
        async with shared_site(settings, replace(QUICK, linger=3600)) as site:
            return (await within(begin(site, job))).status

    status = await asyncio.wait_for(asyncio.to_thread(asyncio.run, work()), 20)

    assert status == "succeeded"
    await until(lambda: armada.streams == 0)


async def test_a_site_that_is_used_again_in_time_stays_open(armada: ScriptedArmada) -> None:
    timings = replace(QUICK, linger=60)
    async with shared_site(armada.settings(), timings) as first:
        pass
    async with shared_site(armada.settings(), timings) as second:
        assert second is first
    async with shared_site(armada.settings(call_timeout=3.0), timings) as other:
        assert other is not first


async def test_a_watch_that_is_used_again_in_time_stays_open(armada: ScriptedArmada) -> None:
    async with shared_site(armada.settings(), replace(QUICK, linger=60)) as site:
        for number in range(3):
            job = a_job(number)
            task = begin(site, job)
            run_to(armada, job, "succeeded")
            await within(task)

    assert armada.calls[EVENTS] == 1
