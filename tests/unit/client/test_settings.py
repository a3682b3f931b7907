"""Where a site is: addresses that can be right, log services by cluster, links."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_armada.client.auth.credentials import Basic
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings


@pytest.mark.parametrize(
    "target", ["armada:50051", "127.0.0.1:1", "[::1]:65535", "unix:/run/armada.sock", "dns:///armada.example:443"]
)
def test_an_address_that_grpc_understands_is_taken(target: str) -> None:
    assert SiteSettings(target).target == target


@pytest.mark.parametrize(
    "target",
    [
        *("", " ", "armada", "armada:", ":50051", "armada:0", "armada:65536", "armada:port", "armada:²", "::1:50051"),
        *("https://armada:443", "grpc://armada:443", "armada:50051 ", "a:1,b:1", "armada:050051"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(target: str) -> None:
    for field in ("target", "binoculars"):
        if target or field == "target":
            with pytest.raises(SettingsError, match="host:port"):
                SiteSettings(**{"target": "armada:1", field: target})


def test_equal_settings_are_equal_and_hash_alike() -> None:
    one, other = (SiteSettings("a:1", credentials=Basic("user", "secret")) for _ in range(2))

    assert one == other
    assert len({one, other}) == 1


def test_settings_never_show_secrets() -> None:
    assert "hunter2" not in repr(SiteSettings("a:1", credentials=Basic("user", "hunter2")))


def test_the_log_service_of_a_cluster_comes_from_the_map_and_then_from_the_template() -> None:
    settings = SiteSettings(
        "a:1", binoculars="logs.{CLUSTER_ID}.example:443", binoculars_by_cluster=(("east", "east-logs:50051"),)
    )

    assert settings.binoculars_target("east") == "east-logs:50051"
    assert settings.binoculars_target("west") == "logs.west.example:443"


def test_without_a_log_service_there_is_no_address() -> None:
    assert SiteSettings("a:1").binoculars_target("east") == ""


def test_log_services_use_the_tls_of_the_server_unless_told_otherwise() -> None:
    tls = TlsSettings(ca_file="ca.pem")

    assert SiteSettings("a:1", tls=tls).log_tls == tls
    assert SiteSettings("a:1", tls=tls, binoculars_tls=None).log_tls is None
    assert SiteSettings("a:1", tls=None, binoculars_tls=tls).log_tls == tls


def test_a_job_has_a_page_in_lookout() -> None:
    assert SiteSettings("a:1", lookout_url="https://lookout/").job_url("01abc") == "https://lookout/jobs/01abc"
    assert SiteSettings("a:1").job_url("01abc") == ""


def test_a_client_certificate_needs_its_key() -> None:
    with pytest.raises(SettingsError, match="cert_file and key_file"):
        TlsSettings(cert_file="cert.pem")


@pytest.mark.parametrize(
    "numbers", [{"call_timeout": 0.0}, {"call_timeout": -1.0}, {"command_timeout": 0.0}, {"keepalive_time": -1.0}]
)
def test_numbers_that_cannot_be_right_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(numbers))):
        SiteSettings("a:1", **numbers)  # type: ignore[arg-type]


def test_settings_and_credentials_need_neither_grpc_nor_protobuf() -> None:
    code = (
        "import sys, airflow_armada.client.settings, airflow_armada.client.auth.token_command,"
        " airflow_armada.client.auth.kubernetes_native;"
        "print([name for name in ('grpc', 'google.protobuf', 'urllib.request') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
