"""A job's own log reaches its reporter: each line once, in order, and without ever failing the job."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial

import grpc

from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.log.budget import SHORT_TAIL, LogBudget
from airflow_armada.follow.log.rest_of_log import fetch_remaining_logs
from airflow_armada.follow.site import Site, shared_site
from airflow_armada.follow.state.outcome import Outcome
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import LOGS, ScriptedArmada
from tests.integration.follow.test_events import run_to, within


def start(
    site: Site, job: FollowedJob, reporter: Remembering, options: FollowOptions | None = None
) -> asyncio.Task[Outcome]:
    return asyncio.create_task(follow(site, job, reporter, options))


def run(armada: ScriptedArmada, job: FollowedJob) -> None:
    armada.emit(QUEUE, JOB_SET, job.job_id, "running", cluster_id="c1", node_name="n1")


def write(armada: ScriptedArmada, job: FollowedJob, *lines: str, container: str = "") -> None:
    log = armada.logs.setdefault((job.job_id, container), [])
    for line in lines:
        minute, second = divmod(len(log) // 10, 60)
        log.append((f"2026-01-01T00:{minute:02d}:{second:02d}.5Z", line.encode()))


async def test_lines_come_while_the_job_runs_and_the_rest_when_it_has_ended(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    def shown(count: int) -> bool:
        return len(reporter.lines) == count

    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run(armada, job)
        for number in range(25):
            write(armada, job, f"line {number}")
            await until(partial(shown, number + 1))
        write(armada, job, "last words")
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert reporter.texts == [f"line {number}" for number in range(25)] + ["last words"]
    assert outcome.logs_complete
    assert outcome.log_positions == {"": ["2026-01-01T00:00:02.5Z", 6]}


async def test_a_job_that_ends_before_anything_else_is_heard_of_it_shows_its_log(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    first, late = a_job(1), a_job(2)
    write(armada, late, "all of it")
    async with shared_site(armada.settings(), replace(QUICK, snapshot_window=0.5)) as site:
        other = start(site, first, Remembering())
        await until(lambda: armada.streams == 1)
        run(armada, late)
        await until(lambda: site.watches[QUEUE, JOB_SET].stream.events == 1)
        armada.know(late.job_id, "RUNNING")
        task = start(site, late, reporter)
        await until(lambda: late.job_id in site.watches[QUEUE, JOB_SET].jobs)
        armada.emit(QUEUE, JOB_SET, late.job_id, "succeeded")
        outcome = await within(task)
        other.cancel()

    assert (outcome.status, outcome.cluster, outcome.node) == ("succeeded", "c1", "n1")
    assert reporter.texts == ["all of it"]
    assert outcome.logs_complete


async def test_a_log_of_many_pages_is_read_in_one_go(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    long = "x" * 3000
    write(armada, job, *(f"{number} {long}" for number in range(2000)))
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert [int(text.split()[0]) for text in reporter.texts] == list(range(2000))
    assert outcome.logs_complete


async def test_each_container_has_its_own_place(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = FollowedJob(JobRef(QUEUE, JOB_SET, a_job().job_id), time.time(), containers=("main", "side"))
    write(armada, job, "a", "b", container="main")
    write(armada, job, "c", container="side")
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert [(name, text) for name, _, text in reporter.lines if name == "main"] == [("main", "a"), ("main", "b")]
    assert [(name, text) for name, _, text in reporter.lines if name == "side"] == [("side", "c")]
    assert set(outcome.log_positions) == {"main", "side"}


async def test_unnamed_containers_are_found_out(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    write(armada, job, "from main", container="main")
    write(armada, job, "from side", container="side")
    text = "a container name must be specified for pod armada-1-0, choose one of: [main side]"
    armada.refuse(LOGS, grpc.StatusCode.UNKNOWN, text, times=1)
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        await within(task)

    assert sorted(reporter.texts) == ["from main", "from side"]


async def test_a_job_that_asks_for_no_logs_costs_no_log_call(armada: ScriptedArmada) -> None:
    job = a_job()
    write(armada, job, "hello")
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, Remembering(), FollowOptions(get_logs=False))
        run_to(armada, job, "succeeded")
        await within(task)

    assert LOGS not in armada.calls


async def test_a_job_that_never_ran_costs_no_log_call(armada: ScriptedArmada) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, Remembering())
        armada.emit(QUEUE, JOB_SET, job.job_id, "cancelled")
        outcome = await within(task)

    assert outcome.logs_complete
    assert LOGS not in armada.calls


async def test_a_pod_that_is_gone_is_said_and_fails_nothing(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert sum("its pod is gone" in text for text in reporter.states) == 1


async def test_a_log_service_in_trouble_delays_lines_and_fails_nothing(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    write(armada, job, "hello")
    armada.refuse(LOGS, grpc.StatusCode.UNAVAILABLE, "binoculars is away", times=5)
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run(armada, job)
        await until(lambda: reporter.lines)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)

    assert outcome.logs_complete
    assert reporter.texts == ["hello"]
    assert sum("cannot be read for now" in text for text in reporter.states) == 1


async def test_a_log_service_that_refuses_us_leaves_the_log_to_the_worker(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    write(armada, job, "hello")
    armada.refuse(LOGS, grpc.StatusCode.PERMISSION_DENIED, "pods is forbidden: User cannot get pods/log")
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert (outcome.status, outcome.logs_complete) == ("succeeded", False)


async def test_a_log_of_which_nobody_tells_where_it_is_is_said_to_be_missing(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    async with shared_site(armada.settings(), replace(QUICK, replay=0.2)) as site:
        task = start(site, job, reporter)
        armada.emit(QUEUE, JOB_SET, job.job_id, "preempted")
        armada.emit(QUEUE, JOB_SET, job.job_id, "failed")
        outcome = await within(task)

    assert outcome.status == "preempted"
    assert sum("its log is not shown here" in text for text in reporter.states) == 1


async def test_who_needs_the_log_waits_until_its_refusals_are_over(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    write(armada, job, "the result")
    armada.refuse(LOGS, grpc.StatusCode.UNAUTHENTICATED, "token expired", times=5)

    known = Outcome(job_id=job.job_id, status="succeeded", cluster="c1", logs_complete=False)
    read = await fetch_remaining_logs(armada.settings(), job, known, reporter, QUICK, patient=True)

    assert read.logs_complete
    assert reporter.texts == ["the result"]


async def test_a_site_without_a_log_service_says_so_once(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    async with shared_site(armada.settings(binoculars=""), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.logs_complete
    assert sum("no log service" in text for text in reporter.states) == 1


async def test_what_exceeds_the_budget_is_printed_by_the_worker(armada: ScriptedArmada, reporter: Remembering) -> None:
    jobs = [a_job(number) for number in range(5)]
    budget = LogBudget(lines_per_second=0, burst=50, job_lines_per_second=0, job_burst=30)
    reporters = [Remembering() for _ in jobs]
    for job in jobs:
        write(armada, job, *(f"line {number}" for number in range(100)))
    async with shared_site(armada.settings(), QUICK) as site:
        options = FollowOptions(live_log_budget=budget)
        following = [start(site, job, each, options) for job, each in zip(jobs, reporters, strict=True)]
        for job in jobs:
            run_to(armada, job, "succeeded")
        outcomes = [await within(task) for task in following]
    live = [len(each.lines) for each in reporters]
    for job, outcome, each in zip(jobs, outcomes, reporters, strict=True):
        travelled = Outcome.from_dict(outcome.to_dict())
        assert not travelled.logs_complete
        assert (await fetch_remaining_logs(armada.settings(), job, travelled, each, QUICK)).logs_complete

    assert sum(live) <= 50 + SHORT_TAIL * len(jobs)
    assert all(each.texts == [f"line {number}" for number in range(100)] for each in reporters)


async def test_lines_shown_before_are_not_shown_again(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    write(armada, job, *(f"line {number}" for number in range(30)))
    options = FollowOptions(log_positions={"": ["2026-01-01T00:00:01.5Z", 3]})
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter, options)
        run_to(armada, job, "succeeded")
        await within(task)

    assert reporter.texts == [f"line {number}" for number in range(13, 30)]


async def test_more_than_a_page_within_one_second_is_passed_over_and_said(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    job = a_job()
    armada.logs[job.job_id, ""] = [
        *((f"2026-01-01T00:00:01.{number:06d}Z", b"x" * 1000) for number in range(5000)),
        ("2026-01-01T00:00:02Z", b"after"),
    ]
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert reporter.texts[-1] == "after"
    assert any("more than 2 MB within one second" in text for text in reporter.states)
    assert outcome.logs_complete


async def test_three_hundred_jobs_that_end_with_a_few_lines_are_shown_whole(armada: ScriptedArmada) -> None:
    jobs = [a_job(number) for number in range(300)]
    options = FollowOptions(live_log_budget=LogBudget(lines_per_second=10, burst=20))
    async with shared_site(armada.settings(), replace(QUICK, log_tail=20.0)) as site:
        following = [start(site, job, Remembering(), options) for job in jobs]
        for job in jobs:
            run(armada, job)
            write(armada, job, "one", "two", "three")
            armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcomes = await asyncio.gather(*(within(task, 60) for task in following))

    assert all(outcome.logs_complete for outcome in outcomes)


async def test_a_long_tail_is_shown_by_turns_where_it_costs_no_worker(armada: ScriptedArmada) -> None:
    jobs, reporters = [a_job(number) for number in range(4)], [Remembering() for _ in range(4)]
    options = FollowOptions(live_log_budget=LogBudget(lines_per_second=2000, burst=400))
    for job in jobs:
        write(armada, job, *(f"line {number}" for number in range(500)))
    async with shared_site(armada.settings(), replace(QUICK, budget_tail=60.0)) as site:
        following = [start(site, job, each, options) for job, each in zip(jobs, reporters, strict=True)]
        for job in jobs:
            run_to(armada, job, "succeeded")
        outcomes = await asyncio.gather(*(within(task, 60) for task in following))

    assert all(outcome.logs_complete for outcome in outcomes)
    assert all(each.texts == [f"line {number}" for number in range(500)] for each in reporters)


async def test_nothing_is_fetched_that_may_not_be_shown(armada: ScriptedArmada) -> None:
    jobs = [a_job(number) for number in range(20)]
    options = FollowOptions(live_log_budget=LogBudget(lines_per_second=0, burst=100))
    for job in jobs:
        write(armada, job, *(f"line {number}" for number in range(200)))
    async with shared_site(armada.settings(), QUICK) as site:
        following = [start(site, job, Remembering(), options) for job in jobs]
        for job in jobs:
            run(armada, job)
        await until(lambda: site.logs.budget_waits >= len(jobs))
        calls = armada.calls[LOGS]
        await asyncio.sleep(20 * QUICK.log_interval)
        assert armada.calls[LOGS] == calls
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    assert calls <= len(jobs)


async def test_a_line_that_is_written_late_is_shown(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    log = armada.logs[job.job_id, ""] = [("2026-01-01T00:00:10.1Z", b"early")]
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run(armada, job)
        await until(lambda: reporter.lines)
        log += [("2026-01-01T00:00:09.9Z", b"late"), ("2026-01-01T00:00:10.2Z", b"last")]
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert reporter.texts == ["early", "late", "last"]


async def test_a_line_of_two_megabytes_of_markers_is_shown_whole(armada: ScriptedArmada, reporter: Remembering) -> None:
    job = a_job()
    armada.logs[job.job_id, ""] = [
        ("2026-01-01T00:00:10.1Z", b"::group::" * 200_000),
        ("2026-01-01T00:00:10.2Z", b"end"),
    ]
    async with shared_site(armada.settings(), QUICK) as site:
        task = start(site, job, reporter)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert "".join(reporter.texts).replace(": :", "::") == "::group::" * 200_000 + "end"
    assert outcome.logs_complete
