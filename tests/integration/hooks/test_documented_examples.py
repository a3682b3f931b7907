"""The examples of docs/connections.md open the door, with the values of a real site in their places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from airflow_armada.api import health_pb2
from airflow_armada.cli.site import settings_of_uri
from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates, tls_proxy
from tests.support.guarded_site import TOKENS, VARIABLE, GuardedSite, guarded_site
from tests.support.scripted_server import scripted_server
from tests.support.sites import SERVING, health, plain

DOCS = Path(__file__).parents[3] / "docs" / "connections.md"
EXAMPLES = dict(re.findall(r"^\| `(\w+)` \| .* \| `(armada://[^`]*)` \|$", DOCS.read_text(), re.MULTILINE))
NOT_IN_EXAMPLES = ("token_file", "oidc_token_cache", "oidc_scopes")
"""What has a default that does for most sites, but not for tests."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSite]:
    with guarded_site(tmp_path_factory.mktemp("secrets")) as site:
        yield site


def filled_in(kind: str, site: GuardedSite, target: str, ca_file: Path) -> str:
    """Put the values of a site into the places of an example, and add no key but those with a default."""
    example, values = urlsplit(EXAMPLES[kind]), site.good.get(kind, {})
    documented = {name: values.get(name, value) for name, value in parse_qsl(example.query)}
    query = {**documented, **{name: values[name] for name in NOT_IN_EXAMPLES if name in values}, "ca_file": ca_file}
    texts = {name: json.dumps(value) if isinstance(value, list) else str(value) for name, value in query.items()}
    login = f"{values['login']}:{quote(values['password'], safe='')}@" if example.username else ""
    return f"{example.scheme}://{login}{target}?{urlencode(texts)}"


@pytest.mark.parametrize("kind", sorted({*EXAMPLES} - {"none", "kubernetes"}))
def test_the_example_of_each_kind_lets_its_caller_in(
    kind: str, site: GuardedSite, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKENS["variable"])
    with tls_proxy(site.server.target, certificates.server("localhost")) as target:
        settings = settings_of_uri(filled_in(kind, site, target, certificates.ca_file), "the example")

        assert settings.tls is not None
        assert health(settings) == SERVING


def test_the_example_without_credentials_does_where_everybody_is_let_in(
    armada: StandaloneArmada, site: GuardedSite, certificates: Certificates
) -> None:
    with tls_proxy(armada.target, certificates.server("localhost")) as target:
        assert health(settings_of_uri(filled_in("none", site, target, certificates.ca_file), "the example")) == SERVING


def test_the_example_for_pods_shows_the_server_the_pods_service_account(
    armada: StandaloneArmada, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("CANARY-mounted-0123456789")
    (tmp_path / "ca.crt").write_text("the authority of the cluster")
    credentials = settings_of_uri(EXAMPLES["kubernetes"], "the example").credentials
    assert isinstance(credentials, KubernetesNative)
    in_the_pod = replace(credentials, directory=str(tmp_path))

    with scripted_server(Health=lambda *_: health_pb2.HealthCheckResponse(status=SERVING)) as server:
        settings = replace(plain(armada, credentials=in_the_pod), target=server.target)
        assert health(settings) == SERVING

    (received,) = server.received
    assert received.metadata["authorization"] == in_the_pod.authorization()
    assert received.metadata["authorization"].startswith("KubernetesAuth ")
