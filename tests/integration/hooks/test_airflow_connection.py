"""Airflow connections end to end: the Test button, changes, and a job that outlives its tokens."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import jwt
import pytest

from airflow_armada.client.auth.credentials import BearerToken
from airflow_armada.client.auth.oidc import OidcClientCredentials
from airflow_armada.client.failure import SettingsError
from airflow_armada.hooks.armada import ArmadaHook, forget_connections
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.canaries import traces
from tests.support.components import wait_until
from tests.support.following import counting, followed, submitted
from tests.support.guarded_site import ALLOWED, MISPLACED, MISPLACED_IN
from tests.support.oidc import CLIENT_SECRET, oidc_provider
from tests.support.sites import plain


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


def test_a_job_that_outlives_three_tokens_is_followed_to_its_end_with_its_log() -> None:
    with (
        oidc_provider(tokenLifetime=2) as provider,
        StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server,
    ):
        server.create_queue("q")
        settings = plain(server, credentials=OidcClientCredentials(provider.client()))
        job = submitted(settings, counting(8))

        assert followed(settings, job) == ("succeeded", [str(number) for number in range(8)])
        assert provider.grants()["client_credentials"] >= 3


def test_a_changed_connection_is_used_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(token: str) -> None:
        values = {"tls": False, "allow_plaintext_credentials": True, "token": token}
        connection = {"conn_type": "armada", "host": "127.0.0.1", "port": 50051, "extra": values}
        monkeypatch.setenv("AIRFLOW_CONN_CHANGING", json.dumps(connection))

    monkeypatch.setenv("AIRFLOW__ARMADA__CONNECTION_CACHE_TTL", "0.5")
    hook = ArmadaHook("changing")
    change("CANARY-old")
    assert hook.settings().credentials == asyncio.run(hook.asettings()).credentials == BearerToken("CANARY-old")

    change("CANARY-new")

    wait_until(lambda: hook.settings().credentials == BearerToken("CANARY-new"), "the new token on workers")
    assert asyncio.run(hook.asettings()).credentials == BearerToken("CANARY-new")


def test_the_end_of_a_pasted_token_is_announced_though_nobody_calls(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"token": jwt.encode({"exp": time.time() + 300}, "CANARY-key-that-is-long-enough-0123")}
    monkeypatch.setenv("AIRFLOW_CONN_PASTED", json.dumps({"conn_type": "armada", "host": "armada", "extra": values}))

    asyncio.run(ArmadaHook("pasted").source().read())  # type: ignore[arg-type]

    assert caplog.text.count("The bearer token will expire at") == 1
    assert values["token"] not in caplog.text


def test_the_secrets_of_armadactls_file_are_masked_like_those_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "armadactl.yaml"
    file.write_text("armadaUrl: armada:443\nbasicAuth: {username: ada, password: CANARY-in-the-file}\n")
    connection = {"conn_type": "armada", "extra": {"armadactl": str(file)}}
    monkeypatch.setenv("AIRFLOW_CONN_FROM_A_FILE", json.dumps(connection))
    with pytest.raises(SettingsError, match="kind armadactl are not allowed"):
        ArmadaHook("from_a_file").settings()
    for name, value in ALLOWED.items():
        monkeypatch.setenv(name, value)

    assert ArmadaHook("from_a_file").settings().target == "armada:443"

    masker = pytest.importorskip("airflow.sdk._shared.secrets_masker", reason="elsewhere before Airflow 3.2")
    assert masker.redact("the password is CANARY-in-the-file") == "the password is ***"


def test_test_never_uses_what_is_on_the_api_servers_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in ALLOWED.items():
        monkeypatch.setenv(name, value)
    trace = tmp_path / "it-ran"
    with StandaloneArmada() as server:
        for extra in (
            {"token_command": sys.executable, "token_command_arguments": ["-c", f"open({str(trace)!r}, 'w')"]},
            {"token_variable": "AIRFLOW__CORE__FERNET_KEY"},
            {"token_file": "/etc/shadow"},
            {"auth": "kubernetes"},
        ):
            works, text = press_test(monkeypatch, server, **extra)
            assert (works, "airflow-armada check --conn-id tested" in text) == (False, True)

    assert not trace.exists()


@pytest.mark.parametrize("field", MISPLACED_IN)
def test_a_secret_in_a_field_where_none_belongs_is_in_no_error(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    extra = {"auth": "oidc_client_credentials", "oidc_client_id": "c", "oidc_client_secret": "s" * 9}
    values: dict[str, object] = extra if field == "oidc_provider_url" else {}
    connection = {"conn_type": "armada", "host": "127.0.0.1", "port": 1, "extra": values}
    (connection if field == "host" else values)[field] = MISPLACED_IN[field]
    monkeypatch.setenv("AIRFLOW_CONN_MISPLACED", json.dumps(connection))

    works, text = ArmadaHook("misplaced").test_connection()

    assert (works, traces(text.encode(), {MISPLACED})) == (False, [])
