"""What a connection may take from the machine that uses it: nothing, unless whoever runs Airflow allows it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_armada.client.failure import SettingsError
from airflow_armada.client.site.allowed_credentials import (
    EVERYTHING,
    HOST_KINDS,
    NOTHING,
    AllowedCredentials,
    allowed_credentials,
)
from airflow_armada.client.site.field_values import FieldValues
from airflow_armada.client.site.fields import KINDS, credentials_from

OIDC = {"oidc_provider_url": "https://evil.example", "oidc_client_id": "c"}
TAKEN: dict[str, dict[str, Any]] = {
    "token_file": {"token_file": "/etc/shadow"},
    "token_variable": {"token_variable": "AIRFLOW__CORE__FERNET_KEY"},
    "token_command": {"token_command": "/bin/sh", "token_command_arguments": ["-c", "id"]},
    "oidc_login": {"auth": "oidc_login", **OIDC},
    "oidc_kubernetes": {"auth": "oidc_kubernetes", **OIDC},
    "kubernetes": {"auth": "kubernetes"},
}


def values(extra: dict[str, Any]) -> FieldValues:
    return FieldValues("", "", extra)


@pytest.mark.parametrize("kind", TAKEN)
def test_nothing_is_taken_from_the_machine_unless_it_is_allowed(kind: str) -> None:
    with pytest.raises(SettingsError, match=rf"kind {kind} are not allowed.*\[armada\] allowed_credentials"):
        credentials_from(values(TAKEN[kind]))

    assert credentials_from(values(TAKEN[kind]), EVERYTHING)


def test_every_kind_is_known_to_be_taken_from_the_machine_or_not() -> None:
    given = {"none", "basic", "token", "oidc_client_credentials", "oidc_password"}

    assert set(KINDS) == given | (set(HOST_KINDS) - {"armadactl"})
    assert set(TAKEN) == set(HOST_KINDS) - {"armadactl"}


@pytest.mark.parametrize("kind", ["token_file", "token_variable", "token_command"])
def test_a_kind_alone_allows_no_file_variable_or_command(kind: str) -> None:
    with pytest.raises(SettingsError, match=r"is not allowed.*\[armada\] allowed_credential_"):
        credentials_from(values(TAKEN[kind]), AllowedCredentials(kinds=frozenset(HOST_KINDS)))


ALLOWED = allowed_credentials(
    "token_file, token_variable,token_command\noidc_kubernetes,oidc_login,armadactl",
    "ARMADA_*",
    "/run/secrets/armada/*, /etc/armadactl.yaml",
    "/opt/get-token --audience *\n/opt/plain, 'with space' a*",
)


@pytest.mark.parametrize(
    "extra",
    [
        {"token_file": "/run/secrets/armada/token"},
        {"token_variable": "ARMADA_TOKEN"},
        {"token_command": "/opt/plain"},
        {"token_command": "/opt/get-token", "token_command_arguments": '["--audience"]'},
        {"token_command": "/opt/get-token", "token_command_arguments": '["--audience", "a", "b"]'},
        {"token_command": "with space", "token_command_arguments": ["abc"]},
        {"token_command": "/opt/plain", "token_command_environment": {"ARMADA_USER": "ada"}},
        {"auth": "oidc_kubernetes", **OIDC},
        {"auth": "oidc_login", **OIDC},
        {"auth": "oidc_login", "oidc_token_cache": "/run/secrets/armada/login.json", **OIDC},
    ],
)
def test_what_is_allowed(extra: dict[str, Any]) -> None:
    assert credentials_from(values(extra), ALLOWED)


@pytest.mark.parametrize(
    "extra",
    [
        {"token_file": "/run/secrets/armada/../../../etc/shadow"},
        {"token_file": "/run/secrets/armada"},
        {"token_file": "run/secrets/armada/token"},
        {"token_file": "~root/.ssh/id_rsa"},
        {"token_variable": "AIRFLOW__CORE__FERNET_KEY"},
        {"token_variable": "armada_token"},
        {"token_command": "/opt/plain", "token_command_arguments": ["more"]},
        {"token_command": "/opt/get-token", "token_command_arguments": ["--output", "/x"]},
        {"token_command": "/opt/get-token"},
        {"token_command": "/opt/../bin/sh"},
        {"token_command": "/opt/plain", "token_command_environment": {"LD_PRELOAD": "/tmp/evil.so"}},
        {"auth": "oidc_kubernetes", "token_file": "/etc/shadow", **OIDC},
        {"auth": "oidc_login", "oidc_token_cache": "/etc/shadow", **OIDC},
        {"auth": "kubernetes"},
    ],
)
def test_what_is_not_allowed_is_refused_without_showing_it(extra: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"not allowed.*\[armada\] allowed_credential") as caught:
        credentials_from(values(extra), ALLOWED)

    assert "shadow" not in str(caught.value)


def test_armadactls_file_must_be_allowed() -> None:
    ALLOWED.check("armadactl", values({"armadactl": "/etc/armadactl.yaml"}))
    for path in ("/etc/shadow", "~/.armadactl.yaml"):
        with pytest.raises(SettingsError, match="allowed_credential_files"):
            ALLOWED.check("armadactl", values({"armadactl": path}))
    with pytest.raises(SettingsError, match="kind armadactl"):
        NOTHING.check("armadactl", values({"armadactl": "/etc/armadactl.yaml"}))


@pytest.mark.parametrize(("kinds", "commands"), [("token_files", ""), ("basic", ""), ("all", ""), ("", "a 'b")])
def test_a_configuration_that_makes_no_sense_is_refused(kinds: str, commands: str) -> None:
    with pytest.raises(SettingsError, match=r"\[armada\] allowed_credential"):
        allowed_credentials(kinds, "", "", commands)
