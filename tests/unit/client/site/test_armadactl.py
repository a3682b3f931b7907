"""Reading armadactl's configuration: what works in the shell works here."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.auth.credentials import Anonymous, Basic, Credentials
from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.auth.oidc import OidcClient, OidcClientCredentials, OidcKubernetes, OidcLogin, OidcPassword
from airflow_armada.client.auth.token_command import TokenCommand
from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.armadactl import parse_armadactl, read_armadactl

CLIENT = "providerUrl: https://login, clientId: id, scopes: [a, b]"
OIDC = OidcClient("https://login", "id", scopes=("a", "b"))


def settings(text: str, context: str = "") -> SiteSettings:
    return parse_armadactl(text.encode(), "f.yaml").settings(context)


def one(details: str) -> SiteSettings:
    return settings("currentContext: c\ncontexts:\n  c: {armadaUrl: 'a:443', " + details + "}")


@pytest.mark.parametrize(
    ("details", "credentials"),
    [
        ("", Anonymous()),
        ("basicAuth: {username: ada, password: pw}", Basic("ada", "pw")),
        ("BASICAUTH: {UserName: ada, PASSWORD: pw}", Basic("ada", "pw")),
        ("basicAuth: {username: ada, password: 12345}", Basic("ada", "12345")),
        ("kubernetesNativeAuth: {enabled: true, expiry: 600}", KubernetesNative(expiry=600)),
        ("kubernetesNativeAuth: {enabled: false}", Anonymous()),
        (f"openIdAuth: {{{CLIENT}, localPort: 8085}}", OidcLogin(OIDC)),
        (f"openIdDeviceAuth: {{{CLIENT}}}", OidcLogin(OIDC)),
        (f"openIdPasswordAuth: {{{CLIENT}, username: u, password: p}}", OidcPassword(OIDC, "u", "p")),
        (
            f"openIdClientCredentialsAuth: {{{CLIENT}, clientSecret: s}}",
            OidcClientCredentials(OidcClient("https://login", "id", "s", scopes=("a", "b"))),
        ),
        (f"openIdKubernetesAuth: {{{CLIENT}}}", OidcKubernetes(OIDC)),
        (
            "execAuth: {cmd: /bin/t, args: [--get, 1], env: [{name: A, value: b}], interactive: true}",
            TokenCommand("/bin/t", ("--get", "1"), (("A", "b"),), interactive=True),
        ),
        ("execAuth: {cmd: t}, basicAuth: {username: ada, password: pw}", Basic("ada", "pw")),
    ],
)
def test_each_kind_of_credentials_is_read(details: str, credentials: Credentials) -> None:
    assert one(details).credentials == credentials


@pytest.mark.parametrize(
    ("url", "details", "tls"),
    [
        ("armada:443", "", TlsSettings()),
        ("localhost:50051", "", None),
        ("my-localhost-proxy:50051", "", None),
        ("armada:443", "forceNoTls: true", None),
        ("armada:443", "forceNoTls: false", TlsSettings()),
    ],
)
def test_tls_is_armadactls_choice(url: str, details: str, tls: TlsSettings | None) -> None:
    assert settings(f"contexts: {{c: {{armadaUrl: '{url}', {details}}}}}\ncurrentContext: c").tls == tls


@pytest.mark.parametrize(("url", "allowed"), [("localhost:50051", True), ("localhost.example:50051", False)])
def test_secrets_go_in_plain_text_to_this_machine_only(url: str, allowed: bool) -> None:
    found = settings(f"armadaUrl: {url}")

    assert found.tls is None
    assert found.allow_plaintext_credentials is allowed


def test_the_context_may_be_chosen() -> None:
    text = "currentContext: a\ncontexts: {a: {armadaUrl: 'a:1'}, B: {armadaUrl: 'b:1'}}"

    assert settings(text).target == "a:1"
    assert settings(text, "b").target == settings(text, "B").target == "b:1"


def test_the_old_form_has_no_contexts() -> None:
    assert settings("armadaUrl: a:1\nbasicAuth: {username: u}").target == "a:1"
    assert settings("basicAuth: {username: u}").target == "localhost:50051"


@pytest.mark.parametrize(("value", "seconds"), [("30s", 30.0), ("1m30s", 90.0), ("1s", 10.0), ("0s", 0.0)])
def test_keepalive_is_a_duration_of_at_least_ten_seconds(value: str, seconds: float) -> None:
    assert settings(f"armadaUrl: a:1\ngrpcKeepAliveTime: {value}").keepalive_time == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it holds nothing"),
        ("- a\n- b", "it holds a list"),
        ("apiVersion: v1\nkind: Config", "neither contexts nor armadaUrl"),
        ("{broken: CANARY", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['CANARY']", "has neither contexts nor armadaUrl"),
        ("contexts: [a]", "must be a mapping"),
        ("contexts: {a: 1}", "must be a mapping"),
        ("contexts: {a: {}}", "names no currentContext; contexts there: a"),
        ("currentContext: b\ncontexts: {a: {}}", "has no context 'b'; contexts there: a"),
        ("currentContext: [a]\ncontexts: {a: {}}", "currentcontext must be text"),
        ("armadaUrl: https://ada:CANARY@a:443", "user name or a password"),
        ("armadaUrl: a:99999", "from 1 to 65535"),
        ("armadaUrl: a:1\nforceNoTls: perhaps", "must be true or false"),
        ("armadaUrl: a:1\nbasicAuth: CANARY", "must hold keys and values"),
        ("armadaUrl: a:1\nopenIdAuth: {providerUrl: https://p}", "clientId is missing"),
        ("armadaUrl: a:1\nbasicAuth: {username: 'a:b', password: CANARY}", "colon"),
        ("armadaUrl: a:1\nexecAuth: {cmd: t, args: CANARY}", "must be a list"),
        ("armadaUrl: a:1\ngrpcKeepAliveTime: soon", "must be a duration"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(text)

    assert says in str(caught.value)
    assert "f.yaml" in str(caught.value) or "address" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_file_that_is_missing_or_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsError, match="cannot read"):
            read_armadactl(str(path))


@given(st.binary(max_size=300))
def test_fuzz_no_bytes_crash_the_reader_of_armadactls_file(content: bytes) -> None:
    with suppress(ArmadaError):
        parse_armadactl(content, "f.yaml").settings()


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["armadaUrl", "forceNoTls", "basicAuth", "execAuth", "openIdAuth", "kubernetesNativeAuth", "grpcKeepAliveTime"]
)


@given(st.dictionaries(KEYS, JSONLIKE))
def test_fuzz_no_values_crash_the_reader_of_armadactls_file(details: dict[str, object]) -> None:
    import yaml

    text = yaml.safe_dump({"currentContext": "c", "contexts": {"c": details}}, allow_unicode=True)
    with suppress(ArmadaError):
        settings(text)


def doubling(first: str, more: str) -> str:
    """Return a document in which each level refers ten times to the one before."""
    lines = [f"a: &a {first}"]
    for before, after in pairwise("abcdefgh"):
        refers = ", ".join(f"*{before}" for _ in range(10))
        lines.append(f"{after}: &{after} {more.format(refers)}")
    return "\n".join(lines)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        doubling("[x, x, x]", "[{}]"),
        doubling("{x: 1}", "{{<<: [{}]}}"),
        "a: &a [*a]",
        "a: " + "[" * 100_000,
        "a: " + "{b: " * 5_000,
        "- " * 50_000,
        "armadaUrl: a:1\nx: " + "1:" * 100_000 + "1",
        "armadaUrl: a:1\nx: !!int ''\ny: !!bool z\nz: !!timestamp z\nn: " + "9" * 100_000,
        "armadaUrl: a:1\nx: !!python/object/apply:os.system ['CANARY']",
        "? [a]\n: b",
    ],
)
def test_what_would_take_long_or_do_something_ends_at_once(text: str) -> None:
    began = time.process_time()
    with suppress(SettingsError):
        settings(text)

    assert time.process_time() - began < 5.0


def test_numbers_and_nulls_are_the_texts_that_they_are() -> None:
    made = settings("armadaUrl: a:1\nforceNoTls: true\nbasicAuth: {username: 0123, password: 1e5}\ncontexts: ~")

    assert made.credentials == Basic("0123", "1e5")
