"""A submission that has made several jobs, as a pause of Armada's message bus makes it do, is noticed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.follower import FollowOptions, follow
from airflow_armada.follow.site import Site, shared_site
from airflow_armada.follow.state.outcome import Outcome
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.scripted import ScriptedArmada
from tests.integration.follow.test_events import within


def submitted(armada: ScriptedArmada, job_id: str, client_id: str) -> None:
    armada.emit(QUEUE, JOB_SET, job_id, "submitted", job={"id": job_id, "client_id": client_id})


def begin(site: Site, job: FollowedJob, duplicates: list[str]) -> asyncio.Task[Outcome]:
    options = FollowOptions(get_logs=False, duplicate=duplicates.append)
    return asyncio.create_task(follow(site, job, Remembering(), options))


async def test_every_copy_is_told_once_whenever_it_comes(armada: ScriptedArmada) -> None:
    job, duplicates = replace(a_job(2), client_id="ours"), list[str]()
    submitted(armada, "1-older", "ours")
    async with shared_site(armada.settings(), QUICK) as site:
        task = begin(site, job, duplicates)
        submitted(armada, job.job_id, "ours")
        submitted(armada, "another's", "theirs")
        submitted(armada, "nobody's", "")
        submitted(armada, "3-younger", "ours")
        await until(lambda: len(duplicates) == 2)
        armada.drop_streams()
        submitted(armada, "3-younger", "ours")
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert duplicates == ["1-older", "3-younger"]


async def test_who_follows_a_job_after_the_stream_has_passed_its_copies_hears_of_them(armada: ScriptedArmada) -> None:
    first, second, duplicates = a_job(1), replace(a_job(2), client_id="ours"), list[str]()
    async with shared_site(armada.settings(), QUICK) as site:
        opens = begin(site, first, [])
        for job_id in ("copy-1", second.job_id, "copy-2"):
            submitted(armada, job_id, "ours")
        await until(lambda: site.watches and site.watches[QUEUE, JOB_SET].stream.events == 3)
        task = begin(site, second, duplicates)
        await until(lambda: len(duplicates) == 2)
        for job in (first, second):
            armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await asyncio.gather(opens, within(task))

    assert duplicates == ["copy-1", "copy-2"]


async def test_a_job_that_somebody_follows_is_no_copy(armada: ScriptedArmada) -> None:
    jobs, duplicates = [replace(a_job(number), client_id="ours") for number in (1, 2)], list[str]()
    async with shared_site(armada.settings(), QUICK) as site:
        following = [begin(site, job, duplicates) for job in jobs]
        for job in jobs:
            submitted(armada, job.job_id, "ours")
        for job in jobs:
            armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await asyncio.gather(*(within(task) for task in following))

    assert duplicates == []
