"""Every example of docs/connections.md is a connection that works, in Airflow and on the command line alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_armada.cli.arguments import COMMANDS
from airflow_armada.cli.site import settings_of_uri
from airflow_armada.client.settings import TlsSettings
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.client.site.fields import KINDS
from airflow_armada.hooks.settings import site_settings

DOCS = Path(__file__).parents[3] / "docs" / "connections.md"
ROWS = re.findall(r"^\| `(\w+)` \| .* \| `(armada://[^`]*)` \|$", DOCS.read_text(), re.MULTILINE)
CLASSES = {
    "none": "Anonymous",
    "basic": "Basic",
    "token": "BearerToken",
    "token_file": "TokenFile",
    "token_variable": "TokenVariable",
    "token_command": "TokenCommand",
    "oidc_client_credentials": "OidcClientCredentials",
    "oidc_password": "OidcPassword",
    "oidc_login": "OidcLogin",
    "oidc_kubernetes": "OidcKubernetes",
    "kubernetes": "KubernetesNative",
}


def test_every_kind_has_its_row() -> None:
    assert [name for name, _ in ROWS] == list(KINDS)


@pytest.mark.parametrize(("name", "uri"), ROWS)
def test_the_example_works(name: str, uri: str) -> None:
    settings = settings_of_uri(uri, "the example")

    assert settings == site_settings(Connection(conn_id="c", uri=uri), EVERYTHING)
    assert type(settings.credentials).__name__ == CLASSES[name]
    assert (settings.target, settings.tls) == ("armada.example.com:443", TlsSettings())


def test_every_command_is_listed() -> None:
    table = DOCS.with_name("command-line.md").read_text().partition("## ")[0]
    cells = re.findall(r"^\| (`.*`) \| \w", table, re.MULTILINE)
    listed = dict.fromkeys(name for cell in cells for name in re.findall(r"`([\w-]+)[^`]*`", cell))

    assert set(listed) == {command.name for command in COMMANDS}
