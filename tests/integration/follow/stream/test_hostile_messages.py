"""What cannot be read is skipped alone, and a stream that has died is opened again."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_armada.api import event_pb2
from airflow_armada.follow.site import shared_site
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, a_job, until
from tests.integration.follow.scripted import DETAILS, EVENTS, ScriptedArmada
from tests.integration.follow.test_events import begin, run_to, within


async def test_a_message_that_cannot_be_decoded_loses_no_other(
    armada: ScriptedArmada, caplog: pytest.LogCaptureFixture
) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        armada.emit(QUEUE, JOB_SET, job.job_id, "running", cluster_id="c1")
        armada.emit_raw(QUEUE, JOB_SET, b"\xff\xff\xff")
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert (outcome.status, outcome.cluster) == ("succeeded", "c1")
    assert armada.calls[EVENTS] == 1
    assert "cannot be decoded" in caplog.text


async def test_a_reason_that_is_no_text_is_shown_as_far_as_it_is(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    failed = event_pb2.JobFailedEvent(job_id=job.job_id, reason="REASON")
    message = event_pb2.EventStreamMessage(id="1:0:0:1", message=event_pb2.EventMessage(failed=failed))
    armada.finish(job.job_id, "FAILED")
    armada.emit_raw(QUEUE, JOB_SET, message.SerializeToString().replace(b"REASON", b"core\xff\xfe"))
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job))

    assert (outcome.status, outcome.reason) == ("failed", "core\ufffd\ufffd")


async def test_a_history_that_cannot_be_decoded_gives_way_to_the_record(armada: ScriptedArmada) -> None:
    job = a_job(submitted_at=time.time() - 3600)
    armada.emit_raw(QUEUE, JOB_SET, b"\xff\xff\xff")
    armada.finish(job.job_id, "FAILED")
    armada.errors[job.job_id] = "exit 3"
    async with shared_site(armada.settings(), QUICK) as site:
        outcome = await within(begin(site, job))

    assert (outcome.status, outcome.reason) == ("failed", "exit 3")


async def test_a_time_that_nobody_can_have_meant_hides_no_other_job(armada: ScriptedArmada) -> None:
    old = time.time() - 3600
    strange, plain = a_job(1, submitted_at=old), a_job(2, submitted_at=old)
    record = armada.know(strange.job_id, "RUNNING")
    for field in (record.submitted_ts, record.last_transition_ts, record.job_runs[0].started_ts):
        field.seconds = 2**62
    armada.finish(plain.job_id, "SUCCEEDED")
    async with shared_site(armada.settings(), QUICK) as site:
        waiting, task = begin(site, strange), begin(site, plain)
        outcome = await within(task)
        await until(lambda: site.watches[QUEUE, JOB_SET].jobs[strange.job_id].state.ran)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert outcome.status == "succeeded"


async def test_a_record_that_cannot_be_used_hides_no_other_job(
    armada: ScriptedArmada, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_armada.follow.state import job_details

    old = time.time() - 3600
    strange, plain = a_job(1, submitted_at=old), a_job(2, submitted_at=old)
    armada.know(strange.job_id, "RUNNING")
    armada.finish(plain.job_id, "SUCCEEDED")
    is_news = job_details.is_news

    def fails_for_one(state: object, details: object) -> bool:
        if details.job_id == strange.job_id:  # type: ignore[attr-defined]
            raise RuntimeError("unforeseen")
        return is_news(state, details)  # type: ignore[arg-type]

    monkeypatch.setattr(job_details, "is_news", fails_for_one)
    async with shared_site(armada.settings(), QUICK) as site:
        waiting, task = begin(site, strange), begin(site, plain)
        outcome = await within(task)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert outcome.status == "succeeded"
    assert "could not be used" in caplog.text


async def test_a_stream_whose_task_has_died_is_opened_again(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job)
        await until(lambda: armada.streams == 1)
        for running in asyncio.all_tasks():
            if running.get_name().startswith("armada watch"):
                running.cancel()
        await until(lambda: armada.calls[EVENTS] == 2)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


async def test_a_stream_that_is_doubted_while_it_is_closed_goes_on(
    armada: ScriptedArmada, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [a_job(1), a_job(2)]
    async with shared_site(armada.settings(), QUICK) as site:
        following = [begin(site, job) for job in jobs]
        await until(lambda: armada.streams == 1)
        stream = site.watches[QUEUE, JOB_SET].stream
        opened = stream.opened
        stream.reopen()
        while stream.opened == opened:
            stream.suspect()
            await asyncio.sleep(0)
        await until(lambda: armada.calls[DETAILS] >= 3)
        for job in jobs:
            run_to(armada, job, "succeeded")
        await asyncio.gather(*(within(task) for task in following))

    assert "KeyError" not in caplog.text
