"""What is said in advance, before it does harm: expiries, plain text, tracing that shows secrets."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from airflow_armada.client.auth.credentials import Anonymous, BearerToken, Credentials
from airflow_armada.client.channel import open_channel
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.auth import Credentials as Guard
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.canaries import traces
from tests.support.sites import SERVING, health, plain

PLAIN = SiteSettings("armada:443", tls=None, credentials=BearerToken("CANARY"), allow_plaintext_credentials=True)


def id_token(lifetime: float, serial: int = 0) -> str:
    """Return a token as a login page hands it out to be pasted: a JWT that tells its own expiry."""
    claims = json.dumps({"exp": time.time() + lifetime, "serial": serial}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.CANARY-signature"


@pytest.mark.parametrize(
    ("lifetime", "said"),
    [(1800.0, ""), (500.0, "The bearer token will expire at"), (-1.0, "The bearer token expired at")],
)
def test_the_expiry_of_a_pasted_token_is_announced_once(
    lifetime: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = id_token(lifetime)
    with StandaloneArmada(credentials=Guard(tokens={token: "ada"})) as server:
        settings = plain(server, credentials=BearerToken(token))
        with caplog.at_level(logging.WARNING, "airflow_armada.client.auth.credentials"):
            assert [health(settings), health(settings)] == [SERVING, SERVING]

    found = [record.getMessage() for record in caplog.records if record.name.endswith("credentials")]
    assert len(found) == bool(said)
    assert all(text.startswith(said) for text in found)
    assert "CANARY" not in caplog.text


def test_credentials_in_plain_text_are_refused_or_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SettingsError, match="would travel in plain text"):
        open_channel(replace(PLAIN, allow_plaintext_credentials=False))
    open_channel(PLAIN).close()

    assert "Credentials for armada:443 travel in plain text" in caplog.text


@pytest.mark.parametrize(
    ("tracers", "credentials", "warned"),
    [
        ("all", BearerToken("CANARY"), True),
        ("http,api", BearerToken("CANARY"), True),
        ("*", BearerToken("CANARY"), True),
        ("-api,a?i", BearerToken("CANARY"), True),
        ("all, -api", BearerToken("CANARY"), True),
        ("all,-api", BearerToken("CANARY"), False),
        ("all,-a*", BearerToken("CANARY"), False),
        ("http", BearerToken("CANARY"), False),
        ("", BearerToken("CANARY"), False),
        ("all", Anonymous(), False),
    ],
)
def test_tracing_that_shows_secrets_is_warned_of(
    tracers: str,
    credentials: Credentials,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("GRPC_TRACE", tracers)

    open_channel(replace(PLAIN, credentials=credentials)).close()

    assert ("add ,-api" in caplog.text) is warned


LOUD_CALL = """
import os, sys
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.auth.credentials import BearerToken
from airflow_armada.client.settings import SiteSettings
token = BearerToken(os.environ["TOKEN"])
site = SiteSettings(sys.argv[1], tls=None, credentials=token, allow_plaintext_credentials=True)
with ArmadaClient(open_channel(site), retry_timeout=0) as client:
    client.submit_health()
"""


@pytest.mark.parametrize("tracers", ["all", "*", "api", "http,a?i", "-api,all", "all, -api", "all,-api"])
def test_grpc_itself_prints_no_credentials_whatever_it_is_asked_to_trace(tracers: str) -> None:
    token = "CANARY-traced-token-0123456789"
    with StandaloneArmada(credentials=Guard(tokens={token: "ada"})) as server:
        done = subprocess.run(
            [sys.executable, "-c", LOUD_CALL, server.target],
            env={**os.environ, "TOKEN": token, "GRPC_TRACE": tracers, "GRPC_VERBOSITY": "DEBUG"},
            capture_output=True,
            timeout=60,
            check=True,
        )

    assert done.stderr
    assert traces(done.stdout + done.stderr, [token]) == []
    assert (b"is used without its tracer api" in done.stderr) is (tracers != "all,-api")
