"""From the fields of a connection to credentials."""

from __future__ import annotations

import copy
import pickle
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.auth.credentials import Anonymous, Basic, BearerToken, Credentials, TokenFile, TokenVariable
from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.auth.oidc import OidcClient, OidcClientCredentials, OidcKubernetes, OidcLogin, OidcPassword
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.auth.token_command import TokenCommand
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.client.site.field_values import FieldValues
from airflow_armada.client.site.fields import FIELDS, KINDS, credentials_from, secrets_of
from tests.support.airflow_versions import serde

OIDC = {"oidc_provider_url": "https://p", "oidc_client_id": "id", "oidc_scopes": "a b"}
CLIENT = OidcClient("https://p", "id", scopes=("a", "b"))

EXAMPLES: list[tuple[str, str, dict[str, Any], Credentials]] = [
    ("", "", {}, Anonymous()),
    ("", "", {"auth": "none", "token": "ignored"}, Anonymous()),
    ("ada", "pw", {}, Basic("ada", "pw")),
    ("ada", "pw", {"auth": "basic"}, Basic("ada", "pw")),
    ("", "", {"token": "tok"}, BearerToken("tok")),
    ("", "tok", {"auth": "token"}, BearerToken("tok")),
    ("", "", {"token_file": "/t"}, TokenFile("/t")),
    ("", "", {"token_variable": "T"}, TokenVariable("T")),
    ("", "", {"token_command": "/bin/t"}, TokenCommand("/bin/t")),
    (
        "",
        "",
        {"token_command": "t", "token_command_arguments": '["-x"]', "token_command_environment": {"A": "b"}},
        TokenCommand("t", ("-x",), (("A", "b"),)),
    ),
    (
        "",
        "secret",
        {"auth": "oidc_client_credentials", **OIDC},
        OidcClientCredentials(OidcClient("https://p", "id", "secret", scopes=("a", "b"))),
    ),
    (
        "",
        "",
        {"auth": "oidc-client-credentials", **OIDC, "oidc_client_secret": "s", "oidc_parameters": '{"audience": "x"}'},
        OidcClientCredentials(OidcClient("https://p", "id", "s", ("a", "b"), (("audience", "x"),))),
    ),
    ("u", "p", {"auth": "oidc_password", **OIDC}, OidcPassword(CLIENT, "u", "p")),
    ("", "", {"auth": "oidc_login", **OIDC, "oidc_token_cache": "/c"}, OidcLogin(CLIENT, TokenCache("/c"))),
    ("", "", {"auth": "oidc_kubernetes", **OIDC}, OidcKubernetes(CLIENT)),
    ("", "", {"auth": "kubernetes"}, KubernetesNative()),
    ("", "", {"auth": "kubernetes", "kubernetes_service_account": "sa"}, KubernetesNative(service_account="sa")),
]


@pytest.mark.parametrize(("login", "password", "extra", "credentials"), EXAMPLES)
def test_each_kind_is_made_from_its_fields(
    login: str, password: str, extra: dict[str, Any], credentials: Credentials
) -> None:
    assert credentials_from(FieldValues(login, password, extra), EVERYTHING) == credentials


def test_every_kind_has_an_example() -> None:
    assert {type(credentials).__name__ for *_, credentials in EXAMPLES} >= {"KubernetesNative", "OidcLogin"}


@pytest.mark.parametrize(
    ("login", "password", "extra", "says"),
    [
        ("", "", {"auth": "magic"}, "must be one of none, basic"),
        ("", "CANARY", {}, "password but no login"),
        ("ada", "CANARY", {"token": "CANARY"}, "only one kind"),
        ("", "", {"token": "CANARY with spaces"}, "characters that no token has"),
        ("", "", {"auth": "token_file"}, "'token_file' is missing"),
        ("", "", {"auth": "oidc_login"}, "'oidc_provider_url' is missing"),
        ("", "", OIDC, "must say how to use the OpenID provider"),
        ("", "", {"auth": "oidc_client_credentials", **OIDC}, "needs the extra 'oidc_client_secret'"),
        ("u", "", {"auth": "oidc_password", **OIDC}, "needs a login and a password"),
        ("", "", {"token_command": "t", "token_command_arguments": "CANARY"}, "must be a JSON list"),
        ("", "", {"token_command": "t", "token_command_environment": "[CANARY]"}, "must be a JSON object"),
        ("", "", {"auth": "oidc_login", **OIDC, "oidc_allow_http": "CANARY"}, "must be true or false"),
        ("", "", {"token": {"a": "CANARY"}}, "must be text"),
    ],
)
def test_what_cannot_work_is_said_without_a_secret(login: str, password: str, extra: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        credentials_from(FieldValues(login, password, extra), EVERYTHING)

    assert says in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("credentials", "secrets"),
    [
        (Anonymous(), []),
        (Basic("ada", "CANARY-1"), ["CANARY-1"]),
        (BearerToken("CANARY-1"), ["CANARY-1"]),
        (TokenCommand("t", ("--key", "CANARY-1"), (("K", "CANARY-2"),)), ["CANARY-2"]),
        (OidcClientCredentials(OidcClient("https://p", "i", "CANARY-1")), ["CANARY-1"]),
        (OidcPassword(OidcClient("https://p", "i"), "u", "CANARY-1"), ["CANARY-1"]),
        (OidcClientCredentials(OidcClient("https://p", "i", parameters=(("audience", "armada"),))), []),
    ],
)
def test_secrets_are_found_for_masking_and_hidden_in_the_repr(credentials: Credentials, secrets: list[str]) -> None:
    assert secrets_of(credentials) == secrets
    assert "CANARY" not in repr(credentials)
    assert hash(credentials) == hash(credentials)


@pytest.mark.parametrize("store", [pickle.dumps, serde.serialize])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: SiteSettings("a:1", credentials=one)])
@pytest.mark.parametrize(("login", "password", "extra", "credentials"), EXAMPLES)
def test_credentials_are_never_stored_in_a_pickle_or_an_xcom(
    login: str, password: str, extra: dict[str, Any], credentials: Credentials, wrap: Any, store: Any
) -> None:
    with pytest.raises(TypeError, match="may hold secrets"):
        store(wrap(credentials))

    assert copy.deepcopy(wrap(credentials)) == wrap(credentials)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.lists(st.text(max_size=3), max_size=2)


@given(
    st.text(max_size=5),
    st.text(max_size=5),
    st.dictionaries(st.sampled_from([field.name for field in FIELDS]), VALUES | st.sampled_from(list(KINDS))),
)
def test_fuzz_no_values_crash_the_fields_of_a_connection(login: str, password: str, extra: dict[str, Any]) -> None:
    with suppress(SettingsError):
        assert isinstance(credentials_from(FieldValues(login, password, extra), EVERYTHING), Credentials)
