"""Reading an Airflow connection: tolerant in form, strict in meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_armada.client.auth.credentials import Anonymous, Basic, BearerToken, TokenFile
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import TlsSettings
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.hooks.settings import site_settings


def connection(extra: dict[str, Any] | None = None, **fields: Any) -> Connection:
    fields.setdefault("host", "armada.example.com")
    return Connection(conn_id="my_armada", conn_type="armada", extra=json.dumps(extra or {}), **fields)


@pytest.mark.parametrize(
    ("host", "port", "target"),
    [
        ("armada.example.com", None, "armada.example.com:50051"),
        ("armada.example.com", 443, "armada.example.com:443"),
        ("armada.example.com:443", None, "armada.example.com:443"),
        ("https://armada.example.com/", 443, "armada.example.com:443"),
        ("grpcs://armada.example.com:8443", None, "armada.example.com:8443"),
        ("https://armada.example.com", None, "armada.example.com:443"),
        ("http://armada.example.com", None, "armada.example.com:80"),
        ("grpcs://armada.example.com", None, "armada.example.com:50051"),
        ("::1", 50051, "[::1]:50051"),
        ("[::1]:50052", None, "[::1]:50052"),
        ("dns:///armada:50051", None, "dns:///armada:50051"),
    ],
)
def test_host_and_port_make_the_target(host: str, port: int | None, target: str) -> None:
    assert site_settings(connection(host=host, port=port)).target == target


@pytest.mark.parametrize(
    ("extra", "tls"),
    [
        ({}, TlsSettings()),
        ({"tls": True}, TlsSettings()),
        ({"tls": "true"}, TlsSettings()),
        ({"tls": None}, TlsSettings()),
        ({"tls": False}, None),
        ({"tls": "False"}, None),
        ({"tls": "0"}, None),
        ({"tls": "no"}, None),
        (
            {"ca_file": "/ca.pem", "cert_file": "/c.pem", "key_file": "/k.pem", "server_name": "armada"},
            TlsSettings("/ca.pem", "/c.pem", "/k.pem", "armada"),
        ),
    ],
)
def test_tls_is_on_unless_it_is_switched_off(extra: dict[str, Any], tls: TlsSettings | None) -> None:
    assert site_settings(connection(extra)).tls == tls


def test_a_plain_web_address_is_a_choice_for_plain_text() -> None:
    assert site_settings(connection(host="http://localhost:50051")).tls is None
    assert site_settings(connection({"tls": True}, host="http://localhost:50051")).tls == TlsSettings()


@pytest.mark.parametrize(
    ("fields", "extra", "credentials"),
    [
        ({}, {}, Anonymous()),
        ({"login": "ada", "password": "secret!"}, {}, Basic("ada", "secret!")),
        ({"login": "ada"}, {}, Basic("ada", "")),
        ({}, {"token": "tok"}, BearerToken("tok")),
        ({}, {"token": "", "token_file": "/run/token"}, TokenFile("/run/token")),
    ],
)
def test_credentials_are_what_the_connection_gives(fields: Any, extra: Any, credentials: Any) -> None:
    assert site_settings(connection(extra, **fields), EVERYTHING).credentials == credentials


@pytest.mark.parametrize(
    ("fields", "extra", "says"),
    [
        ({"host": ""}, {}, "no host"),
        ({"host": "ftp://armada"}, {}, "its scheme is not one of"),
        ({"host": "armada", "port": 99999}, {}, "port"),
        ({"host": "ada:hunter2@armada.example.com"}, {}, "user name or a password"),
        ({"host": "ada:hunter2"}, {}, "a port is from 1 to 65535"),
        ({"host": "https://armada:443", "port": 443}, {}, "it holds a port, and another one is given"),
        ({"host": "armada:443", "port": 443}, {}, "it holds a port, and another one is given"),
        ({"host": "https://armada/hunter2"}, {}, "it holds a path"),
        ({"host": "armada, hunter2"}, {}, "spaces"),
        ({"host": "armada,hunter2"}, {}, "several addresses"),
        ({"host": "armada?tls=hunter2"}, {}, "options"),
        ({}, {"binoculars": "ada:hunter2@logs:50051"}, "extra 'binoculars' must be host:port"),
        ({}, {"binoculars": "logs:50051{CLUSTER_ID}"}, "extra 'binoculars' must be host:port"),
        ({}, {"binoculars_by_cluster": {"a": "ada:hunter2@logs:50051"}}, "log service of cluster 'a'"),
        ({}, {"lookout_url": "https://ada:hunter2@lookout"}, "the Lookout URL"),
        ({}, {"lookout_url": "javascript:hunter2"}, "the Lookout URL"),
        ({}, {"tls": "maybe"}, "'tls' must be true or false"),
        ({}, {"call_timeout": "soon"}, "'call_timeout' must be a number of seconds"),
        ({}, {"call_timeout": 0}, "call_timeout must be more than 0"),
        ({}, {"cert_file": "/c.pem"}, "both cert_file and key_file"),
        ({}, {"binoculars_by_cluster": "logs:50051"}, "must be a JSON object"),
        ({"password": "hunter2hunter2"}, {}, "no login"),
        ({"login": "ada", "password": "hunter2hunter2"}, {"token": "tok-secret"}, "only one kind of credentials"),
        ({}, {"token": "two words-secret"}, "bearer token"),
    ],
)
def test_what_cannot_work_is_said_in_one_line_without_a_secret(fields: Any, extra: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        site_settings(connection(extra, **fields))

    text = str(caught.value)
    assert says in text
    assert "'my_armada'" in text
    assert "\n" not in text
    assert "secret" not in text
    assert "hunter2" not in text


def test_numbers_and_maps_may_come_as_text() -> None:
    settings = site_settings(
        connection(
            {
                "call_timeout": "2.5",
                "keepalive_time": "60",
                "binoculars": "logs-{CLUSTER_ID}:50051",
                "binoculars_by_cluster": '{"a": "special:1"}',
                "lookout_url": "https://lookout/",
            }
        )
    )

    assert (settings.call_timeout, settings.keepalive_time) == (2.5, 60.0)
    assert settings.binoculars_target("a") == "special:1"
    assert settings.binoculars_target("b") == "logs-b:50051"
    assert settings.job_url("j") == "https://lookout/jobs/j"


def test_a_connection_uri_means_the_same_as_its_form() -> None:
    form = connection({"tls": False, "call_timeout": 5, "lookout_url": "http://l"}, host="h", port=1, login="u")
    uri = "armada://u@h:1/?tls=False&call_timeout=5&lookout_url=http%3A%2F%2Fl"

    assert site_settings(Connection(conn_id="my_armada", uri=uri)) == site_settings(form)


def test_log_service_has_the_servers_tls_unless_told_otherwise() -> None:
    assert site_settings(connection()).log_tls == TlsSettings()
    assert site_settings(connection({"tls": False})).log_tls is None
    assert site_settings(connection({"binoculars_tls": "false"})).log_tls is None
    assert site_settings(connection({"tls": "false", "binoculars_tls": True})).log_tls == TlsSettings()


def test_the_scheme_of_a_log_service_means_its_port_and_its_tls() -> None:
    secure = site_settings(connection({"tls": False, "binoculars": "https://logs-{CLUSTER_ID}.example"}))
    plain = site_settings(connection({"binoculars": "http://logs"}))

    assert (secure.binoculars, secure.log_tls) == ("logs-{CLUSTER_ID}.example:443", TlsSettings())
    assert (plain.binoculars, plain.log_tls) == ("logs:80", None)


def test_no_secret_shows_in_the_settings() -> None:
    for made in (connection(login="ada", password="hunter2"), connection({"token": "hunter2"})):
        assert "hunter2" not in repr(site_settings(made))


def test_lookouts_discovery_by_http_does_not_choose_where_credentials_go() -> None:
    extra = {"lookout_url": "http://lookout.example.com", "token": "tok-secret"}

    with pytest.raises(SettingsError, match="the Lookout URL is not https"):
        site_settings(connection(extra, host=""))
