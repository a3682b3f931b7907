"""OpenID Connect against a real provider and a server that verifies its tokens."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from airflow_armada.client.auth.oidc import OidcClientCredentials, OidcError, OidcLogin, OidcPassword, cache_key
from airflow_armada.client.auth.oidc_login import DevicePrompt, browser_login, device_login
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.errors import CredentialsError, Unauthenticated
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.oidc import PASSWORD, USER, OidcProvider, Person, oidc_provider
from tests.support.sites import SERVING, health, plain


@pytest.fixture(scope="module")
def guarded(provider: OidcProvider) -> Iterator[StandaloneArmada]:
    with StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server:
        yield server


@pytest.mark.parametrize("client_id", ["machine", "machine-post"])
def test_client_credentials_are_accepted(provider: OidcProvider, guarded: StandaloneArmada, client_id: str) -> None:
    credentials = OidcClientCredentials(provider.client(client_id))

    assert health(plain(guarded, credentials=credentials)) == SERVING


def test_without_credentials_the_server_refuses(guarded: StandaloneArmada) -> None:
    with pytest.raises(Unauthenticated):
        health(plain(guarded))


def test_a_password_is_accepted(provider: OidcProvider, guarded: StandaloneArmada) -> None:
    credentials = OidcPassword(provider.client("person"), USER, PASSWORD)

    assert health(plain(guarded, credentials=credentials)) == SERVING


def test_one_token_serves_many_threads(provider: OidcProvider) -> None:
    credentials = OidcClientCredentials(provider.client(parameters=(("resource", "urn:armada"),)))
    before = provider.grants().get("client_credentials", 0)
    threads = [threading.Thread(target=credentials.authorization) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert provider.grants()["client_credentials"] == before + 1


def test_a_token_that_lives_for_seconds_is_renewed() -> None:
    with (
        oidc_provider(tokenLifetime=2) as provider,
        StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server,
    ):
        settings = plain(server, credentials=OidcClientCredentials(provider.client()))
        deadline = time.monotonic() + 7
        while time.monotonic() < deadline:
            assert health(settings) == SERVING
            time.sleep(0.1)

        assert provider.grants()["client_credentials"] >= 3


def test_a_refused_token_is_fetched_anew_once() -> None:
    with oidc_provider() as provider:
        revoked: set[str] = set()
        verify = Credentials(verify_token=lambda token: None if token in revoked else provider.verify(token))
        with StandaloneArmada(credentials=verify) as server:
            credentials = OidcClientCredentials(provider.client())
            revoked.add(credentials.authorization().removeprefix("Bearer "))

            assert health(plain(server, credentials=credentials)) == SERVING
        assert provider.grants() == {"client_credentials": 2}


def test_the_provider_may_rotate_its_keys() -> None:
    with oidc_provider() as provider, StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server:
        settings = plain(server, credentials=OidcClientCredentials(provider.client()))
        assert health(settings) == SERVING

        provider.rotate_keys()

        assert health(settings) == SERVING


@pytest.mark.parametrize(
    ("client_id", "change", "text"),
    [
        ("machine", {"client_secret": "CANARY-wrong"}, "check the client id and secret"),
        ("machine", {"parameters": (("resource", "urn:other"),)}, "check the audience or resource parameter"),
        ("person", {}, "refused client 'person': invalid_request"),
    ],
)
def test_a_refusal_says_what_to_check(
    provider: OidcProvider, client_id: str, change: dict[str, object], text: str
) -> None:
    with pytest.raises(CredentialsError, match=text) as refusal:
        OidcClientCredentials(provider.client(client_id, **change)).authorization()

    assert "CANARY" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_wrong_password_is_named_but_not_shown(provider: OidcProvider) -> None:
    with pytest.raises(CredentialsError, match="check the user name and password") as refusal:
        OidcPassword(provider.client("person"), USER, "CANARY-wrong").authorization()

    assert "CANARY" not in str(refusal.value)


def test_a_busy_provider_is_a_passing_trouble() -> None:
    with oidc_provider(refuse="yes") as provider, pytest.raises(CredentialsError, match="HTTP 503") as refusal:
        OidcClientCredentials(provider.client()).authorization()

    assert refusal.value.transient


def test_a_stopped_provider_leaves_the_token_in_use() -> None:
    with oidc_provider(tokenLifetime=60) as provider:
        credentials = OidcClientCredentials(provider.client())
        first = credentials.authorization()

    assert credentials.authorization() == first
    other = OidcClientCredentials(provider.client(scopes=()))
    with pytest.raises(CredentialsError, match="cannot reach"):
        other.authorization()


def test_another_issuer_is_not_trusted(provider: OidcProvider) -> None:
    other = provider.client()
    moved = type(other)(provider_url=provider.issuer.replace("127.0.0.1", "localhost"), client_id="machine")

    with pytest.raises(CredentialsError, match="belongs to the issuer"):
        OidcClientCredentials(moved).authorization()


def _approve(prompt: DevicePrompt) -> None:
    threading.Thread(target=Person().visit, args=(prompt.complete_address,)).start()


def test_a_device_login_is_kept_and_renewed(tmp_path: Path) -> None:
    with oidc_provider(tokenLifetime=2) as provider:
        client, cache = provider.client("person"), TokenCache(str(tmp_path / "cache" / "tokens.json"))
        token = device_login(client, _approve, sleep=lambda _: time.sleep(0.2))
        cache.write(cache_key(client), token)
        login = OidcLogin(client, cache)
        with StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server:
            deadline = time.monotonic() + 6
            while time.monotonic() < deadline:
                assert health(plain(server, credentials=login)) == SERVING
                time.sleep(0.1)

        assert provider.grants()["refresh_token"] >= 2
        assert stat.S_IMODE(cache.file.stat().st_mode) == 0o600
        assert stat.S_IMODE(cache.file.parent.stat().st_mode) == 0o700


def test_a_refused_login_is_renewed_for_every_process(provider: OidcProvider, tmp_path: Path) -> None:
    client, cache = provider.client("person"), TokenCache(str(tmp_path / "tokens.json"))
    cache.write(cache_key(client), device_login(client, _approve, sleep=lambda _: time.sleep(0.2)))
    login = OidcLogin(client, cache)
    first = login.authorization()

    login.refused(first)

    assert login.authorization() != first
    kept = cache.read(cache_key(client))
    assert kept is not None
    assert login.authorization() == f"Bearer {kept.access_token}"


def test_whoever_refuses_a_device_login_is_told(provider: OidcProvider) -> None:
    def refuse(prompt: DevicePrompt) -> None:
        Person(refuses=True).visit(prompt.complete_address)

    with pytest.raises(OidcError, match="refused") as refusal:
        device_login(provider.client("person"), refuse, sleep=lambda _: None)
    assert refusal.value.code == "access_denied"


def test_nobody_comes() -> None:
    with oidc_provider(deviceLifetime=1) as provider, pytest.raises(OidcError, match="in time"):
        device_login(provider.client("person"), lambda _: None, sleep=lambda _: time.sleep(0.2))


def test_a_browser_login_brings_a_token(provider: OidcProvider) -> None:
    pages: list[str] = []

    def browse(address: str) -> None:
        threading.Thread(target=lambda: pages.append(Person().visit(address))).start()

    token = browser_login(provider.client("person"), browse, timeout=30)

    assert provider.verify(token.access_token) is not None


def test_neither_forged_answers_nor_idle_connections_end_a_browser_login(provider: OidcProvider) -> None:
    idle: list[socket.socket] = []

    def disturb_and_browse(address: str) -> None:
        redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        port = urlsplit(redirect).port
        idle.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(3))

        def visits() -> None:
            for forged in ("?code=stolen&state=guessed", "?error=access_denied", "?error=access_denied&state=", ""):
                with pytest.raises(HTTPError, match="400"):
                    urlopen(f"{redirect}{forged}", timeout=10)
            Person().visit(address)

        threading.Thread(target=visits).start()

    token = browser_login(provider.client("person"), disturb_and_browse, timeout=30)

    assert provider.verify(token.access_token) is not None
    for connection in idle:
        connection.close()


def test_forged_answers_alone_are_no_login(provider: OidcProvider) -> None:
    def forge(address: str) -> None:
        redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]

        def visit() -> None:
            with suppress(HTTPError):
                urlopen(f"{redirect}?code=stolen&state=guessed", timeout=10)

        threading.Thread(target=visit).start()

    with pytest.raises(OidcError, match="nobody completed the login"):
        browser_login(provider.client("person"), forge, timeout=1)
