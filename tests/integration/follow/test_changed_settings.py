"""What changes in the settings of a site reaches the jobs that are followed there, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from airflow_armada.client.auth.credentials import BearerToken
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.follow.settings_source import SettingsSource
from airflow_armada.follow.site import Site, shared_site
from tests.integration.follow.conftest import JOB_SET, QUEUE, QUICK, Remembering, a_job, until
from tests.integration.follow.log.test_log_follower import run, start, write
from tests.integration.follow.scripted import EVENTS, ScriptedArmada, scripted_armada
from tests.integration.follow.test_events import begin, run_to, within
from tests.support.certificates import Certificates, tls_proxy


class Connection:
    """Gives the settings of a site, which a test changes."""

    def __init__(self, settings: SiteSettings) -> None:
        self.settings = settings
        self.readings = 0
        self.error: Exception | None = None
        self.origin = SettingsSource("connection 'site'", self._read, 0.1)

    async def _read(self) -> SiteSettings:
        self.readings += 1
        if self.error:
            raise self.error
        return self.settings

    def change(self, **values: object) -> None:
        self.settings = replace(self.settings, **values)  # type: ignore[arg-type]

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Site]:
        async with shared_site(self.settings, QUICK, self.origin) as site:
            yield site


def with_token(armada: ScriptedArmada, token: str) -> Connection:
    armada.token = token
    return Connection(armada.settings(credentials=BearerToken(token), allow_plaintext_credentials=True))


async def test_a_new_token_reaches_jobs_whose_old_one_is_refused(armada: ScriptedArmada, reporter: Remembering) -> None:
    connection, job = with_token(armada, "old"), a_job()
    async with connection.site() as site:
        task = begin(site, job, reporter)
        await until(lambda: armada.streams == 1)
        armada.token = "new"
        armada.drop_streams()
        await until(lambda: any("still waiting" in text for text in reporter.states))
        run_to(armada, job, "succeeded")
        connection.change(credentials=BearerToken("new"))
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert reporter.states[-1] == f"Job {job.job_id} succeeded"


async def test_events_and_log_go_on_where_they_stood(armada: ScriptedArmada, reporter: Remembering) -> None:
    def shown(count: int) -> bool:
        return len(reporter.lines) == count

    connection, job = with_token(armada, "old"), a_job()
    async with connection.site() as site:
        task = start(site, job, reporter)
        run(armada, job)
        for number in range(5):
            write(armada, job, f"line {number}")
            await until(partial(shown, number + 1))
            armada.token = f"token {number}".replace(" ", "-")
            connection.change(credentials=BearerToken(armada.token))
            await until(lambda: site.settings == connection.settings)
            armada.emit(QUEUE, JOB_SET, job.job_id, "reprioritized", new_priority=number)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        outcome = await within(task)
        events = site.watches[QUEUE, JOB_SET].stream.events

    assert outcome.status == "succeeded"
    assert events == 1 + 5 + 1
    assert reporter.texts == [f"line {number}" for number in range(5)]
    assert outcome.logs_complete


async def test_a_connection_is_read_once_however_many_jobs_are_followed(armada: ScriptedArmada) -> None:
    connection = with_token(armada, "old")
    jobs = [a_job(number, job_set=f"set-{number % 7}") for number in range(200)]
    for job in jobs:
        armada.know(job.job_id, "QUEUED")  # else the history is asked for them, however long the test takes
    async with connection.site() as site:
        following = [begin(site, job) for job in jobs]
        await until(lambda: armada.streams == 7)
        armada.token = "new"
        connection.change(credentials=BearerToken("new"))
        read_so_far = connection.readings
        await until(lambda: connection.readings == read_so_far + 3)
        opened = armada.calls[EVENTS]
        for job in jobs:
            run_to(armada, job, "succeeded")
        outcomes = await asyncio.gather(*(within(task) for task in following))

    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert opened == 2 * 7
    assert armada.calls[EVENTS] == opened


async def test_a_job_that_begins_with_the_new_settings_takes_those_before_it_along(armada: ScriptedArmada) -> None:
    connection, before, after = with_token(armada, "old"), a_job(1), a_job(2)
    never = replace(connection.origin, interval=3600.0)
    async with shared_site(connection.settings, QUICK, never) as first:
        waiting = begin(first, before)
        await until(lambda: armada.streams == 1)
        armada.token = "new"
        connection.change(credentials=BearerToken("new"))
        async with shared_site(connection.settings, QUICK, never) as second:
            assert second is first
            for job in (before, after):
                run_to(armada, job, "succeeded")
            outcomes = await asyncio.gather(within(waiting), within(begin(second, after)))

    assert [outcome.status for outcome in outcomes] == ["succeeded", "succeeded"]


async def test_a_server_that_has_moved_is_followed_to_its_new_address(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    connection, job = Connection(armada.settings()), a_job()
    async with connection.site() as site:
        task = begin(site, job, reporter)
        await until(lambda: armada.streams == 1)
        await armada.stop()
        await until(lambda: any("still waiting" in text for text in reporter.states))
        await armada.start()
        connection.settings = armada.settings()
        run_to(armada, job, "succeeded")
        outcome = await within(task)
        async with connection.site() as again:
            assert again is site

    assert outcome.status == "succeeded"


async def test_jobs_stay_with_the_server_that_has_them_while_it_answers(armada: ScriptedArmada) -> None:
    connection, here, there = Connection(armada.settings()), a_job(1), a_job(2)
    async with scripted_armada() as other, connection.site() as site:
        task = begin(site, here)
        await until(lambda: armada.streams == 1)
        connection.settings = other.settings()
        async with connection.site() as other_site:
            following = begin(other_site, there)
            run_to(other, there, "succeeded")
            assert (await within(following)).status == "succeeded"
        read_so_far = connection.readings
        await until(lambda: connection.readings > read_so_far + 3)
        run_to(armada, here, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert other.calls[EVENTS] == 1


async def test_a_log_service_that_is_made_known_later_gives_the_whole_log(
    armada: ScriptedArmada, reporter: Remembering
) -> None:
    connection, job = Connection(armada.settings(binoculars="")), a_job()
    async with connection.site() as site:
        task = start(site, job, reporter)
        run(armada, job)
        write(armada, job, "first", "second")
        await until(lambda: any("names no log service" in text for text in reporter.states))
        connection.change(binoculars=f"127.0.0.1:{armada.port}")
        await until(lambda: len(reporter.lines) == 2)
        armada.emit(QUEUE, JOB_SET, job.job_id, "succeeded")
        await within(task)

    assert reporter.texts == ["first", "second"]


def authority(folder: Path) -> Certificates:
    folder.mkdir()
    return Certificates.make(folder)


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_a_rotated_authority_is_trusted_when_its_file_is_replaced(
    armada: ScriptedArmada, tmp_path: Path, doors: ExitStack, reporter: Remembering
) -> None:
    old, new = authority(tmp_path / "old"), authority(tmp_path / "new")
    bundle, job = tmp_path / "ca.pem", a_job()
    bundle.write_bytes(old.ca_file.read_bytes())
    plain = f"127.0.0.1:{armada.port}"
    target = await asyncio.to_thread(doors.enter_context, tls_proxy(plain, old.server("localhost")))
    connection = Connection(SiteSettings(target, tls=TlsSettings(ca_file=str(bundle))))
    async with connection.site() as site:
        task = begin(site, job, reporter)
        await until(lambda: armada.streams == 1)
        await asyncio.to_thread(doors.close)
        same_port = tls_proxy(plain, new.server("localhost"), port=int(target.rpartition(":")[2]))
        await asyncio.to_thread(doors.enter_context, same_port)
        await until(lambda: any("still waiting" in text for text in reporter.states))
        fresh = tmp_path / "fresh.pem"
        fresh.write_bytes(new.ca_file.read_bytes())
        fresh.rename(bundle)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"


@pytest.mark.parametrize(
    "unusable",
    [
        {"allow_plaintext_credentials": False},
        {"tls": TlsSettings(ca_file="/there/is/no/such/file")},
    ],
)
async def test_settings_that_cannot_be_used_change_nothing_and_are_told_of_once(
    armada: ScriptedArmada, caplog: pytest.LogCaptureFixture, unusable: dict[str, object]
) -> None:
    connection, job = with_token(armada, "canary-token"), a_job()
    async with connection.site() as site:
        task = begin(site, job)
        await until(lambda: armada.streams == 1)
        with caplog.at_level(logging.WARNING, "airflow_armada.follow"):
            connection.change(**unusable)
            read_so_far = connection.readings
            await until(lambda: connection.readings > read_so_far + 3)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    said = [record.getMessage() for record in caplog.records]
    assert sum("connection 'site' cannot be read again, so it is used as it was" in text for text in said) == 1
    assert "canary" not in caplog.text


async def test_a_connection_that_cannot_be_read_is_used_as_it_was(
    armada: ScriptedArmada, caplog: pytest.LogCaptureFixture
) -> None:
    connection, job = Connection(armada.settings()), a_job()
    async with connection.site() as site:
        task = begin(site, job)
        connection.error = SettingsError("the secrets backend is away")
        await until(lambda: connection.readings > 3)
        run_to(armada, job, "succeeded")
        outcome = await within(task)

    assert outcome.status == "succeeded"
    assert caplog.text.count("the secrets backend is away") == 1


async def test_nothing_of_the_old_settings_is_left_open(armada: ScriptedArmada) -> None:
    before = asyncio.all_tasks()
    connection, job = Connection(armada.settings()), a_job()
    armada.know(job.job_id, "RUNNING")
    async with connection.site() as site:
        task = begin(site, job)
        for number in range(20):
            connection.change(call_timeout=1.0 + number)
            await until(lambda: site.settings == connection.settings)
        await until(lambda: armada.streams == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await until(lambda: not [one for one in asyncio.all_tasks() - before if "armada" in one.get_name()])
    await until(lambda: armada.streams == 0)
