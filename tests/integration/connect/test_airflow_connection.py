"""Airflow connections end to end: the Test button, and a job that outlives its tokens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.oidc import OidcClientCredentials
from airflow_armada.follow.follower import follow
from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.site import shared_site
from airflow_armada.hooks.armada import ArmadaHook, forget_connections
from airflow_armada.jobs.forms import read_jobs
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.connect.conftest import SCRIPT, plain
from tests.support.oidc import CLIENT_SECRET, oidc_provider

SLOW = "import time; [(print(n, flush=True), time.sleep(1)) for n in range(8)]"


def press_test(monkeypatch: pytest.MonkeyPatch, server: StandaloneArmada, **extra: object) -> tuple[bool, str]:
    host, _, port = server.target.rpartition(":")
    values = {"tls": False, "allow_plaintext_credentials": True, **extra}
    connection = {"conn_type": "armada", "host": host, "port": int(port), "extra": values}
    monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps(connection))
    try:
        return ArmadaHook("tested").test_connection()
    finally:
        forget_connections()


def test_the_test_button_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with oidc_provider() as provider, StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server:
        server.create_queue("q")
        oidc = {
            "auth": "oidc_client_credentials",
            "oidc_provider_url": provider.issuer,
            "oidc_client_id": "machine",
            "oidc_client_secret": CLIENT_SECRET,
        }
        good, works = press_test(monkeypatch, server, **oidc)
        bad, fails = press_test(monkeypatch, server, **{**oidc, "oidc_client_secret": "CANARY-wrong"})

    assert (good, bad) == (True, False)
    assert "credentials accepted (OidcClientCredentials)" in works
    assert "check the client id and secret" in fails
    assert "CANARY" not in works + fails


class Remembering:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def state(self, text: str) -> None: ...

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        self.lines += [text for _, text in lines]


def test_a_job_that_outlives_three_tokens_is_followed_to_its_end_with_its_log() -> None:
    with (
        oidc_provider(tokenLifetime=2) as provider,
        StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server,
    ):
        server.create_queue("q")
        settings = plain(server, credentials=OidcClientCredentials(provider.client()))
        file = read_jobs(SCRIPT.replace("print('hello from the job')", SLOW), "test")
        with ArmadaClient(open_channel(settings)) as client:
            (answer,) = client.submit_jobs("q", "set", file.items).job_response_items
        job = FollowedJob("q", "set", answer.job_id, time.time(), containers=("main",))
        reporter = Remembering()

        async def to_the_end() -> str:
            async with shared_site(settings) as site:
                return (await follow(site, job, reporter)).status

        assert asyncio.run(asyncio.wait_for(to_the_end(), 60)) == "succeeded"
        assert reporter.lines == [str(number) for number in range(8)]
        assert provider.grants()["client_credentials"] >= 3
