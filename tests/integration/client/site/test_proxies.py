"""Proxies of the environment: used unless the connection switches them off, for gRPC and for logins alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_armada.cli.site import settings_of_uri
from airflow_armada.client.address import CLUSTER_ID
from airflow_armada.client.auth.oidc_client import OidcClient, OidcError
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.site.diagnose import diagnose
from airflow_armada.client.site.lookout_discovery import read_config
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.http_proxy import HttpProxy, http_proxy
from tests.support.sites import SERVING, health, plain


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpProxy]:
    """A proxy, named by the environment and by nothing else there."""
    for name in ("grpc_proxy", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with http_proxy() as running:
        monkeypatch.setenv("https_proxy", running.url)
        yield running


def test_calls_go_through_the_proxy_of_the_environment(armada: StandaloneArmada, proxy: HttpProxy) -> None:
    assert health(plain(armada)) == SERVING
    assert proxy.wanted == [armada.target]


def test_a_connection_may_switch_the_proxy_off(armada: StandaloneArmada, proxy: HttpProxy) -> None:
    assert health(settings_of_uri(f"grpc://{armada.target}?use_proxy=false", "test")) == SERVING
    assert proxy.wanted == []


def test_no_proxy_is_honoured(armada: StandaloneArmada, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert health(plain(armada)) == SERVING
    assert proxy.wanted == []


def test_a_check_behind_a_proxy_asks_by_grpc_alone(armada: StandaloneArmada, proxy: HttpProxy) -> None:
    diagnosis = diagnose(plain(armada), "q")

    assert diagnosis.ok
    assert diagnosis.findings[0].status == "skipped"
    assert "proxy" in diagnosis.findings[0].text


def test_a_proxy_that_refuses_is_named_as_the_likely_cause(armada: StandaloneArmada, proxy: HttpProxy) -> None:
    proxy.refusing = True

    diagnosis = diagnose(plain(armada), "q")

    assert not diagnosis.ok
    assert f"the proxy {proxy.url}" in diagnosis.summary


def test_a_login_goes_through_the_proxy_too_unless_it_is_off(proxy: HttpProxy) -> None:
    proxy.refusing = True
    with pytest.raises(OidcError, match="403"):
        OidcClient("https://login.invalid", "id").endpoint("token_endpoint")
    with pytest.raises(OidcError):
        OidcClient("https://login.invalid", "id", use_proxy=False).endpoint("token_endpoint")

    assert proxy.wanted == ["login.invalid:443"]


def test_so_does_the_discovery_by_lookouts_address(proxy: HttpProxy) -> None:
    for use_proxy in (True, False):
        with pytest.raises(ArmadaError, match=r"cannot reach https://lookout\.invalid"):
            read_config("https://lookout.invalid", use_proxy=use_proxy)

    assert proxy.wanted == ["lookout.invalid:443"]


def test_log_services_of_clusters_that_are_not_known_are_not_checked(armada: StandaloneArmada) -> None:
    target = armada.target.replace("127.0.0.1", f"{CLUSTER_ID}.invalid")

    logs = diagnose(plain(armada, binoculars=target), "q").findings[-1]

    assert (logs.check, logs.status) == ("logs", "skipped")
    assert "one per cluster" in logs.text


def test_those_of_clusters_that_are_named_are_checked(armada: StandaloneArmada) -> None:
    named = (("near", armada.target), ("far", "127.0.0.1:1"))

    findings = diagnose(plain(armada, binoculars=f"{CLUSTER_ID}:1", binoculars_by_cluster=named), "q").findings

    logs = {finding.text: finding.status for finding in findings if finding.check == "logs"}
    assert logs == {
        f"log service {armada.target} answers": "ok",
        "log service: nothing listens at 127.0.0.1:1": "warning",
    }
