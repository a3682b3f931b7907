"""Tokens, their expiry and the file that keeps them."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.auth.oidc import OidcClient, OidcError, OidcKubernetes, OidcLogin
from airflow_armada.client.auth.token_cache import TokenCache, TokenCacheError, default_cache_path
from airflow_armada.client.auth.tokens import Token, jwt_claims, jwt_expiry
from airflow_armada.client.failure import CredentialsError


def jwt_of(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("token", "expiry"),
    [
        (jwt_of({"exp": 1000}), 1000.0),
        (jwt_of({"exp": 1000.5}), 1000.5),
        (jwt_of({}), None),
        (jwt_of({"exp": "1000"}), None),
        (jwt_of({"exp": True}), None),
        (jwt_of({"exp": 10**400}), None),
        (jwt_of({"exp": -1e300}), None),
        (jwt_of({"exp": float("nan")}), None),
        (jwt_of([1]), None),
        ("opaque", None),
        ("a.b.c", None),
        ("", None),
    ],
)
def test_the_expiry_of_a_jwt_is_read_without_verifying_it(token: str, expiry: float | None) -> None:
    assert jwt_expiry(token) == expiry


@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"a.{text}.b"))
def test_no_text_crashes_it(token: str) -> None:
    assert isinstance(jwt_claims(token), dict)


@pytest.mark.parametrize(("lifetime", "due_at"), [(10.0, 8.0), (3600.0, 3540.0), (1.0, 0.8)])
def test_a_token_is_renewed_before_it_expires(lifetime: float, due_at: float) -> None:
    token = Token("t", obtained_at=1000.0, expires_at=1000.0 + lifetime)

    assert not token.due(1000.0 + due_at - 0.01)
    assert token.due(1000.0 + due_at)
    assert not token.expired(1000.0 + due_at)
    assert token.expired(1000.0 + lifetime)


def test_a_token_without_expiry_is_never_due() -> None:
    assert not Token("t").due(1e12)


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 7}, {"access_token": None}])
def test_an_answer_without_a_token_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="access_token"):
        Token.from_answer(answer)


@pytest.mark.parametrize("lifetime", [float("inf"), float("nan"), 10**400, 1e300, -1e300, "soon", [], None])
def test_a_lifetime_that_is_none_is_left_out(lifetime: object) -> None:
    assert Token.from_answer({"access_token": "opaque", "expires_in": lifetime}).expires_at is None


def test_an_answer_may_leave_out_everything_but_the_token() -> None:
    token = Token.from_answer({"access_token": jwt_of({"exp": 5000}), "expires_in": None}, "old")

    assert (token.expires_at, token.refresh_token) == (5000.0, "old")


def test_the_cache_is_private_and_keeps_logins_apart(tmp_path: Path) -> None:
    cache = TokenCache(str(tmp_path / "a" / "tokens.json"))

    cache.write("one", Token("CANARY", "refresh", 1.0, 2.0))
    cache.write("two", Token("other"))
    cache.write("two", None)

    assert cache.read("one") == Token("CANARY", "refresh", 1.0, 2.0)
    assert cache.read("two") is None
    assert stat.S_IMODE(cache.file.stat().st_mode) == 0o600
    assert "CANARY" not in repr(cache) + repr(cache.read("one"))
    assert [path.name for path in cache.file.parent.iterdir()] == ["tokens.json"]


def test_a_cache_that_others_can_read_is_refused(tmp_path: Path) -> None:
    cache = TokenCache(str(tmp_path / "tokens.json"))
    cache.write("one", Token("CANARY"))
    cache.file.chmod(0o644)

    with pytest.raises(CredentialsError, match="chmod 600"):
        cache.read("one")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", bytes(range(256)), b'{"one": {"access_token": 7}}', b'{"one": {}}']
)
def test_a_damaged_cache_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    cache = TokenCache(str(tmp_path / "tokens.json"))
    cache.file.write_bytes(content)
    cache.file.chmod(0o600)

    with pytest.raises(CredentialsError, match="log in again"):
        cache.read("one")


def test_a_cache_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TokenCache(str(tmp_path / "tokens.json"))
    with cache.locked():
        cache.write("one", Token("CANARY"))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(TokenCacheError, match=r"token cache .* belongs to another user"):
        cache.read("one")
    with pytest.raises(TokenCacheError, match=r"lock of .* belongs to another user"), cache.locked():
        pass


def test_the_lock_does_not_follow_a_link_that_somebody_put_there(tmp_path: Path) -> None:
    cache, victim = TokenCache(str(tmp_path / "tokens.json")), tmp_path / "victim"
    (tmp_path / "tokens.json.lock").symlink_to(victim)

    with pytest.raises(TokenCacheError, match="cannot lock"), cache.locked():
        pass

    assert not victim.exists()


def test_a_pipe_in_the_place_of_the_cache_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokens.json", 0o600)

    with pytest.raises(TokenCacheError, match="cannot read"):
        TokenCache(str(tmp_path / "tokens.json")).read("one")


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CredentialsError, match=r"cannot (read|write|lock)"):
        TokenCache(str(tmp_path / "file" / "tokens.json")).write("one", Token("t"))


def test_the_cache_is_where_the_user_keeps_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARMADA_TOKEN_CACHE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_cache_path() == "/state/airflow-armada/tokens.json"

    monkeypatch.setenv("ARMADA_TOKEN_CACHE", "/x/y.json")
    assert default_cache_path() == "/x/y.json"


def test_whoever_is_not_logged_in_is_told_how(tmp_path: Path) -> None:
    login = OidcLogin(OidcClient("https://p", "id"), TokenCache(str(tmp_path / "t.json")))

    with pytest.raises(CredentialsError, match="airflow-armada login"):
        login.authorization()


def test_secrets_do_not_go_over_plain_http_to_another_machine() -> None:
    with pytest.raises(OidcError, match="plain text"):
        OidcClient("http://login.example", "id").checked("http://login.example/token")

    OidcClient("http://login.example", "id", allow_http=True).checked("http://login.example/token")
    OidcClient("http://localhost:1", "id").checked("http://localhost:1/token")


def test_a_missing_service_account_token_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K8S_SERVICEACCOUNT_TOKEN", raising=False)
    assert "K8S_SERVICEACCOUNT_TOKEN" not in os.environ

    with pytest.raises(CredentialsError, match="/nowhere"):
        OidcKubernetes(OidcClient("https://p", "id"), "/nowhere").authorization()
