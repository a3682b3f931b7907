"""A service account's token exchanged at a provider, as armadactl's openIdKubernetesAuth does it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.auth.oidc import OidcClient, OidcKubernetes
from airflow_armada.client.failure import CredentialsError
from airflow_armada.client.site.armadactl import parse_armadactl
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.canaries import traces
from tests.support.sites import SERVING, health, plain
from tests.support.token_exchange import TokenExchange, token_exchange

MOUNTED = "CANARY-service-account-0123456789"


@pytest.fixture
def server() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(credentials=Credentials(tokens={"nobody has this": "ada"})) as running:
        yield running


@pytest.fixture
def exchange(server: StandaloneArmada, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenExchange]:
    numbers = count(1)

    def issue() -> str:
        token = f"CANARY-exchanged-{next(numbers)}-0123456789"
        server.authenticator.add_token(token, "robot")
        return token

    monkeypatch.delenv("K8S_SERVICEACCOUNT_TOKEN", raising=False)
    with token_exchange({MOUNTED}, issue) as running:
        yield running


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{MOUNTED}\n")
    return file


def client(exchange: TokenExchange) -> OidcClient:
    return OidcClient(exchange.url, "airflow", scopes=("jobs",))


def test_the_exchanged_token_is_accepted_and_kept(
    server: StandaloneArmada, exchange: TokenExchange, mounted: Path
) -> None:
    settings = plain(server, credentials=OidcKubernetes(client(exchange), str(mounted)))

    assert [health(settings), health(settings)] == [SERVING, SERVING]
    (form,) = exchange.forms
    assert (form["grant_type"], form["client_id"], form["scope"]) == ("kubernetes", "airflow", "jobs")


def test_a_refused_token_is_exchanged_anew_with_what_is_mounted_by_then(
    server: StandaloneArmada, exchange: TokenExchange, mounted: Path
) -> None:
    settings = plain(server, credentials=OidcKubernetes(client(exchange), str(mounted)))
    assert health(settings) == SERVING

    exchange.service_account_tokens = {"CANARY-renewed-by-the-kubelet"}
    mounted.write_text("CANARY-renewed-by-the-kubelet")
    server.authenticator.expire_token("CANARY-exchanged-1-0123456789")

    assert health(settings) == SERVING
    assert [form["client_assertion"] for form in exchange.forms] == [MOUNTED, "CANARY-renewed-by-the-kubelet"]


def test_a_token_that_has_expired_is_exchanged_anew(
    server: StandaloneArmada, exchange: TokenExchange, mounted: Path
) -> None:
    exchange.lifetime = 0
    settings = plain(server, credentials=OidcKubernetes(client(exchange), str(mounted)))

    assert [health(settings), health(settings)] == [SERVING, SERVING]
    assert len(exchange.forms) == 2


def test_armadactls_variable_goes_before_the_file(
    server: StandaloneArmada, exchange: TokenExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_SERVICEACCOUNT_TOKEN", MOUNTED)
    section = f"openIdKubernetesAuth: {{providerUrl: '{exchange.url}', clientId: airflow, scopes: [jobs]}}"
    text = f"armadaUrl: {server.target}\nforceNoTls: true\n{section}"

    assert health(parse_armadactl(text.encode(), "armadactl.yaml").settings()) == SERVING


def test_a_service_account_that_the_provider_does_not_know_is_told_so_without_its_token(
    server: StandaloneArmada, exchange: TokenExchange, mounted: Path
) -> None:
    mounted.write_text("CANARY-unknown-0123456789")

    with pytest.raises(CredentialsError, match="refused client 'airflow'") as caught:
        health(plain(server, credentials=OidcKubernetes(client(exchange), str(mounted))))

    assert "CANARY" not in str(caught.value)


def test_the_header_for_the_clusters_own_review_is_told_to_the_server_alone(
    server: StandaloneArmada, tmp_path: Path, mounted: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ca.crt").write_text("the authority of the cluster")
    credentials = KubernetesNative(directory=str(tmp_path))
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception, match="Missing credentials") as caught:
        health(plain(server, credentials=credentials))

    written = f"{caplog.text} {caught.value!r} {credentials!r}".encode()
    assert traces(written, [MOUNTED]) == []
