"""Whatever a provider, a browser, a file or a program gives: it is used, or one error of ours says that it cannot be.

Seconds in the unit tests; as long as wanted with HYPOTHESIS_PROFILE=fuzz.
"""

from __future__ import annotations

import base64
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_armada.client.auth import kubernetes_native, oidc_client, oidc_login
from airflow_armada.client.auth.credentials import bearer
from airflow_armada.client.auth.kubernetes_native import KubernetesNative, token_of
from airflow_armada.client.auth.oidc import OidcClientCredentials
from airflow_armada.client.auth.oidc_client import OidcClient, struck
from airflow_armada.client.auth.oidc_login import device_login
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.auth.tokens import Token, jwt_claims, jwt_expiry
from airflow_armada.client.failure import ArmadaError, CredentialsError
from airflow_armada.client.foreign_text import one_line

SECRET = "CANARY+secret/~0123456789"
ISSUER = "https://login.example"
NAMES = st.sampled_from(
    [
        *("issuer", "token_endpoint", "device_authorization_endpoint", "token_endpoint_auth_methods_supported"),
        *("error", "error_description", "access_token", "refresh_token", "expires_in", "token_type", "status", "token"),
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "interval", "expires_in"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [ISSUER, f"{ISSUER}/token", "http://x/", "invalid_grant", "slow_down", "t", SECRET, "9" * 400, 1e999, "\ud800"]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | NAMES, inner, max_size=3)
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=8) | VALUES
BODIES = DOCUMENTS.map(lambda value: json.dumps(value).encode("utf-8", "replace")) | st.binary(max_size=60)
STATUSES = st.sampled_from([200, 200, 200, 302, 400, 401, 404, 500, 503])


class Answers:
    """Stands in for the network: gives a discovery document that is good or not, then other answers."""

    def __init__(self, document: Any, answers: list[tuple[int, bytes]]) -> None:
        self._answers = [(200, json.dumps(document).encode("utf-8", "replace")), *answers]

    def __call__(self, url: str, **_: Any) -> tuple[int, bytes]:
        assert url.startswith("https://")
        return self._answers.pop(0) if self._answers else (400, b'{"error": "access_denied"}')


GOOD = {
    "issuer": ISSUER,
    "token_endpoint": f"{ISSUER}/token",
    "device_authorization_endpoint": f"{ISSUER}/device",
}


def asked(answers: Answers, module: Any, ask: Any) -> str:
    """Ask with answers in the place of the network, and return the error, or ""."""
    oidc_client._discovered.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "exchange", answers)
        try:
            ask()
        except ArmadaError as error:
            text = str(error)
        else:
            text = ""
    assert one_line(text, 10_000) == text
    return text


@given(
    st.dictionaries(NAMES, VALUES, max_size=4).map(lambda extra: {**GOOD, **extra}) | VALUES,
    st.lists(st.tuples(STATUSES, BODIES), max_size=3),
)
def test_fuzz_a_token_is_had_from_a_provider_or_an_error(document: Any, answers: list[tuple[int, bytes]]) -> None:
    client = OidcClient(ISSUER, "machine", SECRET)

    text = asked(Answers(document, answers), oidc_client, OidcClientCredentials(client).fetch)

    assert SECRET not in text


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.lists(st.tuples(STATUSES, BODIES), max_size=3))
def test_fuzz_a_device_login_shows_only_what_a_terminal_and_a_browser_may_see(
    prompt: dict[str, Any], answers: list[tuple[int, bytes]]
) -> None:
    shown: list[Any] = []
    good = {"device_code": "d", "user_code": "u", "verification_uri": ISSUER, "expires_in": 100}
    first = (200, json.dumps({**good, **prompt}).encode("utf-8", "replace"))

    asked(
        Answers(GOOD, [first, *answers]),
        oidc_client,
        lambda: device_login(OidcClient(ISSUER, "person"), shown.append, sleep=lambda _: None),
    )

    for one in shown:
        assert one_line(one.code) == one.code
        assert one.address.startswith("https://")
        assert one.address.isascii()
        assert one.address.isprintable()
        assert not one.complete_address or one.complete_address.startswith("https://")


@given(st.text(max_size=80) | st.from_regex(r"/auth/callback\?(state=(right|wrong)|code=[a-z%]*|&|=|error=.?){0,6}"))
def test_fuzz_only_a_request_with_the_right_state_is_the_answer_to_a_login(path: str) -> None:
    visit = oidc_login._Visit("right")

    with suppress(ValueError):  # urlsplit's, which ends this one connection
        visit.take(path)

    assert visit.came.is_set() == (visit.parameters.get("state") == "right")


@given(STATUSES, BODIES)
@example(200, b'{"status": true}')
def test_fuzz_kubernetes_gives_a_token_or_an_error(status: int, body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("token", "ca.crt", "namespace"):
            Path(folder, name).write_text("content")
        patch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        patch.setattr(kubernetes_native, "exchange", lambda *_, **__: (status, body))
        with suppress(CredentialsError):
            assert KubernetesNative(service_account="sa", directory=folder).fetch().access_token


@given(BODIES | st.builds(lambda entry: json.dumps({"key": entry}).encode("utf-8", "replace"), DOCUMENTS))
def test_fuzz_a_token_cache_holds_a_token_or_says_that_it_is_damaged(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = TokenCache(f"{folder}/tokens.json")
        cache.file.write_bytes(content)
        cache.file.chmod(0o600)
        with suppress(CredentialsError):
            found = cache.read("key")
            assert found is None or (found.due() in (True, False) and found.access_token is not None)


@given(st.text(max_size=60) | BODIES.map(lambda body: f"e30.{base64.urlsafe_b64encode(body).decode()}.c2ln"))
def test_fuzz_any_text_is_a_token_or_none(text: str) -> None:
    assert isinstance(jwt_claims(text), dict)
    assert jwt_expiry(text) is None or jwt_expiry(text) >= 0  # type: ignore[operator]
    assert isinstance(token_of(text), str)
    with suppress(CredentialsError):
        assert bearer(text, "it").isascii()


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_fuzz_any_answer_is_a_token_or_none(answer: dict[str, Any]) -> None:
    with suppress(ValueError):
        found = Token.from_answer(answer)
        assert found.expired() in (True, False)


WITHOUT_STARS = st.text(st.characters(exclude_characters="*"), min_size=1, max_size=10)


@given(WITHOUT_STARS, st.lists(WITHOUT_STARS, max_size=3))
def test_fuzz_striking_out_leaves_none_of_the_secrets(text: str, secrets: list[str]) -> None:
    left = struck(text + "".join(secrets), secrets)

    assert [secret for secret in secrets if secret in left] == []
