"""What the check of a connection finds, and whether its advice is the right one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_armada.client.auth.credentials import Anonymous, Basic, BearerToken, TokenFile
from airflow_armada.client.auth.oidc import OidcClientCredentials
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.diagnose import Diagnosis, diagnose
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates, tls_proxy
from tests.support.oidc import OidcProvider
from tests.support.sites import SERVING, health, plain

TOKEN, PASSWORD = "CANARY-token-0123456789", "CANARY-password-0123456789"
GUARD = Credentials(users={"ada": PASSWORD}, tokens={TOKEN: "bob"})


@pytest.fixture(scope="module")
def guarded() -> Iterator[StandaloneArmada]:
    with StandaloneArmada(credentials=GUARD) as server:
        server.create_queue("q")
        yield server


def failure(diagnosis: Diagnosis) -> str:
    assert not diagnosis.ok
    assert "\n" not in diagnosis.summary
    assert "CANARY" not in repr(diagnosis) + diagnosis.summary
    return diagnosis.summary


def tls_site(target: str, **tls: str) -> SiteSettings:
    return SiteSettings(target=target, tls=TlsSettings(**tls), binoculars=target)


def test_a_good_site_is_good_in_every_respect(armada: StandaloneArmada) -> None:
    diagnosis = diagnose(plain(armada), "q")

    assert diagnosis.ok
    assert [finding.check for finding in diagnosis.findings] == ["address", "tls", "credentials", "queue", "logs"]
    assert {finding.status for finding in diagnosis.findings} == {"ok"}


@pytest.mark.parametrize("credentials", [Basic("ada", PASSWORD), BearerToken(TOKEN)])
def test_right_credentials_are_accepted(guarded: StandaloneArmada, credentials: Basic | BearerToken) -> None:
    assert diagnose(plain(guarded, credentials=credentials), "q").ok


@pytest.mark.parametrize(
    ("credentials", "advice"),
    [
        (Anonymous(), "the server wants credentials"),
        (Basic("ada", "CANARY-wrong"), "check the user name and the password"),
        (BearerToken("CANARY-other-token"), "check that the token is for this server"),
        (TokenFile("/nowhere/token"), "cannot read the token file /nowhere/token"),
    ],
)
def test_wrong_credentials_get_advice(guarded: StandaloneArmada, credentials: Anonymous, advice: str) -> None:
    assert advice in failure(diagnose(plain(guarded, credentials=credentials)))


def test_an_expired_token_is_called_expired(guarded: StandaloneArmada) -> None:
    expired = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln"

    assert "the token expired at 2001-09-09" in failure(diagnose(plain(guarded, credentials=BearerToken(expired))))


def test_the_end_of_a_pasted_token_is_announced(provider: OidcProvider) -> None:
    token = OidcClientCredentials(provider.client()).authorization()
    with StandaloneArmada(credentials=Credentials(verify_token=provider.verify)) as server:
        server.create_queue("q")
        diagnosis = diagnose(plain(server, credentials=BearerToken(token)))

    assert diagnosis.ok
    assert "nothing renews it" in diagnosis.summary


def test_credentials_in_plain_text_need_permission(guarded: StandaloneArmada) -> None:
    settings = replace(plain(guarded, credentials=BearerToken(TOKEN)), allow_plaintext_credentials=False)

    assert "would travel in plain text" in failure(diagnose(settings))


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{unused.getsockname()[1]}"

    assert f"nothing listens at {target}" in failure(diagnose(SiteSettings(target=target, tls=None)))


def test_a_name_that_does_not_exist() -> None:
    settings = SiteSettings(target="armada.invalid:443", use_proxy=False)

    assert "cannot be resolved" in failure(diagnose(settings))


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SiteSettings(target=f"127.0.0.1:{silent.getsockname()[1]}")
        assert "no answer" in failure(diagnose(settings, timeout=0.5))


def test_a_queue_that_does_not_exist(armada: StandaloneArmada) -> None:
    assert "create the queue or check its name" in failure(diagnose(plain(armada), "missing"))


def test_a_queue_that_may_not_be_watched() -> None:
    with StandaloneArmada(credentials=Credentials(users={"ada": PASSWORD}, permissions={})) as server:
        server.create_queue("q", user_owners=["somebody"])
        summary = failure(diagnose(plain(server, credentials=Basic("ada", PASSWORD)), "q"))

    assert "ask for the watch permission on queue 'q'" in summary


def test_a_broken_log_service_is_a_warning(armada: StandaloneArmada) -> None:
    diagnosis = diagnose(plain(armada, binoculars="127.0.0.1:1"), "q")

    assert diagnosis.ok
    assert "warning: logs: log service: nothing listens at 127.0.0.1:1" in diagnosis.summary


def test_tls_with_the_right_authority(armada: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(armada.target, certificates.server("localhost")) as target:
        settings = tls_site(target, ca_file=str(certificates.ca_file))
        assert diagnose(settings, "q").summary.count("certificate accepted") == 1
        assert health(settings) == SERVING


def test_credentials_travel_in_tls(guarded: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(guarded.target, certificates.server("localhost")) as target:
        settings = replace(tls_site(target, ca_file=str(certificates.ca_file)), credentials=BearerToken(TOKEN))
        assert diagnose(settings, "q").ok
        assert health(settings) == SERVING


def test_an_unknown_authority(armada: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(armada.target, certificates.server("localhost")) as target:
        assert "set ca_file" in failure(diagnose(tls_site(target)))


def test_another_authority(armada: StandaloneArmada, certificates: Certificates, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    wrong = Certificates.make(other).ca_file
    with tls_proxy(armada.target, certificates.server("localhost")) as target:
        assert f"{wrong} does not hold the CA" in failure(diagnose(tls_site(target, ca_file=str(wrong))))


def test_a_wrong_name_and_its_cure(armada: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(armada.target, certificates.server("armada.example")) as target:
        settings = tls_site(target, ca_file=str(certificates.ca_file))
        assert "set server_name" in failure(diagnose(settings))

        cured = tls_site(target, ca_file=str(certificates.ca_file), server_name="armada.example")
        assert diagnose(cured, "q").ok
        assert health(cured) == SERVING


def test_an_expired_certificate(armada: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(armada.target, certificates.server("localhost", expired=True)) as target:
        assert "have the server's certificate renewed" in failure(
            diagnose(tls_site(target, ca_file=str(certificates.ca_file)))
        )


def test_a_client_certificate(armada: StandaloneArmada, certificates: Certificates) -> None:
    context = certificates.wants_client(certificates.server("localhost"))
    certificate, key = certificates.client()
    with tls_proxy(armada.target, context) as target:
        ca_file = str(certificates.ca_file)
        assert "client certificate" in failure(diagnose(tls_site(target, ca_file=ca_file)))

        shown = tls_site(target, ca_file=ca_file, cert_file=str(certificate), key_file=str(key))
        assert diagnose(shown, "q").ok
        assert health(shown) == SERVING


def test_tls_to_a_plain_server(armada: StandaloneArmada) -> None:
    assert "turn TLS off" in failure(diagnose(SiteSettings(target=armada.target)))


def test_plain_text_to_a_tls_server(armada: StandaloneArmada, certificates: Certificates) -> None:
    with tls_proxy(armada.target, certificates.server("localhost")) as target:
        assert "turn TLS on" in failure(diagnose(SiteSettings(target=target, tls=None)))


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(range(256))])
def test_a_ca_file_that_is_none(armada: StandaloneArmada, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    settings = SiteSettings(target=armada.target, tls=TlsSettings(ca_file=str(tmp_path / "ca.pem")))

    assert "cannot be used" in failure(diagnose(settings))


def test_a_web_server_is_not_armada(provider: OidcProvider) -> None:
    summary = failure(diagnose(SiteSettings(target=provider.issuer.removeprefix("http://"), tls=None)))

    assert "answered" in summary
