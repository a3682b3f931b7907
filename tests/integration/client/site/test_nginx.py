"""A site behind nginx: TLS, client certificates, and streams that are cut when nothing has been said for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_armada.client.auth.credentials import BearerToken
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.diagnose import diagnose
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates
from tests.support.following import counting, followed, submitted
from tests.support.nginx import nginx
from tests.support.sites import SERVING, health

TOKEN = "CANARY-token-0123456789"


def behind(target: str, certificates: Certificates, *, show: bool = True) -> SiteSettings:
    """Settings for a site behind nginx, with a client certificate or without."""
    certificate, key = certificates.client() if show else ("", "")
    tls = TlsSettings(ca_file=str(certificates.ca_file), cert_file=str(certificate), key_file=str(key))
    return SiteSettings(target=target, tls=tls, binoculars=target, use_proxy=False)


def test_a_client_certificate_opens_the_door(certificates: Certificates) -> None:
    with (
        StandaloneArmada(credentials=Credentials(tokens={TOKEN: "ada"})) as server,
        nginx(server.target, certificates, client_certificate=True) as target,
    ):
        server.create_queue("q")
        settings = replace(behind(target, certificates), credentials=BearerToken(TOKEN))

        assert health(settings) == SERVING
        assert diagnose(settings, "q").ok


def test_without_a_client_certificate_the_advice_is_to_give_one(
    armada: StandaloneArmada, certificates: Certificates
) -> None:
    with nginx(armada.target, certificates, client_certificate=True) as target:
        diagnosis = diagnose(behind(target, certificates, show=False), "q")

    assert not diagnosis.ok
    assert "client certificate (cert_file, key_file)" in diagnosis.summary


def test_a_client_certificate_of_another_authority_is_refused(
    armada: StandaloneArmada, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strange = Certificates.make(tmp_path_factory.mktemp("stranger"))
    with nginx(armada.target, certificates, client_certificate=True) as target:
        certificate, key = strange.client()
        tls = TlsSettings(ca_file=str(certificates.ca_file), cert_file=str(certificate), key_file=str(key))
        diagnosis = diagnose(replace(behind(target, certificates), tls=tls), "q")

    assert not diagnosis.ok
    assert f"may not accept the client certificate {certificate}" in diagnosis.summary


def test_a_server_that_is_down_behind_nginx_is_said_to_be_so(certificates: Certificates) -> None:
    with nginx("127.0.0.1:1", certificates) as target:
        diagnosis = diagnose(behind(target, certificates))

    assert not diagnosis.ok
    assert "UNAVAILABLE" in diagnosis.summary


def test_a_watch_survives_that_its_idle_streams_are_cut(armada: StandaloneArmada, certificates: Certificates) -> None:
    with nginx(
        armada.target, certificates, client_certificate=True, read_timeout=2, requests_per_connection=20
    ) as target:
        settings = behind(target, certificates)
        job = submitted(settings, counting(3, pause=3.0))

        status, lines = followed(settings, job)

    assert (status, lines) == ("succeeded", ["0", "1", "2"])
    assert armada.calls["/api.Event/GetJobSetEvents"] >= 3
