"""
OpenID Connect credentials: tokens fetched from a provider and renewed before they expire.

All OpenID Connect of the client lives here and in the modules this one imports (``tokens``, ``oidc_http``,
``token_cache``), the exchange of Kubernetes service account tokens included. The logins that need a person (device and
browser flow) are in ``oidc_login``; they write the token cache that :class:`OidcLogin` reads.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from airflow_armada.client.credentials import Credentials, bearer, read_secret
from airflow_armada.client.failure import CredentialsError
from airflow_armada.client.oidc_http import OidcClient, OidcError
from airflow_armada.client.token_cache import TokenCache
from airflow_armada.client.tokens import Token

__all__ = ["OidcClient", "OidcClientCredentials", "OidcError", "OidcKubernetes", "OidcLogin", "OidcPassword"]

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_PAUSE_AFTER_FAILURE = 5.0


class _Source:
    """The current token of one set of credentials, shared by all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: CredentialsError | None = None
        self._retry_at = 0.0

    def access_token(self, renew: Callable[[Token | None], Token]) -> str:
        with self._lock:
            if self._token is None or self._token.due():
                self._renew(renew)
            if self._failure and (self._token is None or self._token.expired()):
                raise CredentialsError(str(self._failure))
            assert self._token is not None
            return self._token.access_token

    def _renew(self, renew: Callable[[Token | None], Token]) -> None:
        if self._failure and time.monotonic() < self._retry_at:
            return
        try:
            self._token, self._failure = renew(self._token), None
        except CredentialsError as error:
            self._failure, self._retry_at = error, time.monotonic() + _PAUSE_AFTER_FAILURE

    def drop(self, access_token: str) -> None:
        with self._lock:
            if self._token and self._token.access_token == access_token:
                self._token = replace(self._token, expires_at=0.0)


_sources: dict[object, _Source] = {}
_sources_lock = threading.Lock()


def _source(credentials: object) -> _Source:
    with _sources_lock:
        return _sources.setdefault(credentials, _Source())


class _Renewing(Credentials):
    """What all credentials here share: one current token per process, renewed when it is due or was refused."""

    blocking: ClassVar[bool] = True

    def authorization(self) -> str:
        return bearer(_source(self).access_token(self._renew), "the access token of the OpenID provider")

    def refused(self, authorization: str) -> bool:
        _source(self).drop(authorization.removeprefix("Bearer "))
        return True

    def _renew(self, previous: Token | None) -> Token:
        raise NotImplementedError


@dataclass(frozen=True)
class OidcClientCredentials(_Renewing):
    """
    Client credentials grant (RFC 6749 section 4.4): for machines, the usual choice for a worker.

    :param client: the client and its provider
    """

    client: OidcClient

    def _renew(self, previous: Token | None) -> Token:
        return _granted(self.client, "client_credentials", {"scope": _scope(self.client.scopes)})


@dataclass(frozen=True)
class OidcPassword(_Renewing):
    """Resource owner password grant (RFC 6749 section 4.3), where a site still offers it."""

    client: OidcClient
    username: str
    password: str = field(repr=False)

    def _renew(self, previous: Token | None) -> Token:
        if previous and previous.refresh_token:
            try:
                return refreshed(self.client, previous.refresh_token)
            except OidcError as error:
                if error.code != "invalid_grant":
                    raise
        person = {"username": self.username, "password": self.password}
        return _granted(self.client, "password", {"scope": _scope(self.client.scopes, "openid"), **person})


@dataclass(frozen=True)
class OidcKubernetes(_Renewing):
    """
    A Kubernetes service account token exchanged for the provider's: armadactl's ``openIdKubernetesAuth``.

    The grant type "kubernetes" and its address are no standard; they are what armadactl uses (oidc/kubernetes.go).

    :param token_file: projected token; read again for each exchange, since the kubelet replaces it
    """

    client: OidcClient
    token_file: str = SERVICE_ACCOUNT_TOKEN

    def _renew(self, previous: Token | None) -> Token:
        token = os.environ.get("K8S_SERVICEACCOUNT_TOKEN") or read_secret(self.token_file, "service account token")
        form = {"grant_type": "kubernetes", "client_id": self.client.client_id, "client_assertion": token.strip()}
        answer = self.client.post_to("/connect/token", {**form, "scope": _scope(self.client.scopes)})
        return _token(self.client, answer)


@dataclass(frozen=True)
class OidcLogin(_Renewing):
    """
    A person's login from the token cache, renewed by its refresh token; made by `airflow-armada login`.

    :param cache: where the login is kept.
    """

    client: OidcClient
    cache: TokenCache = field(default_factory=TokenCache)

    def _renew(self, previous: Token | None) -> Token:
        with self.cache.locked():
            return self._renew_locked(previous)

    def _renew_locked(self, previous: Token | None) -> Token:
        kept = self.cache.read(cache_key(self.client))
        if kept is None:
            raise OidcError(
                f"not logged in to {self.client.provider_url} as {self.client.client_id}: run `airflow-armada login`"
            )
        refused = previous is not None and previous.access_token == kept.access_token
        if not kept.due() and not refused:
            return kept
        if not kept.refresh_token:
            if not kept.expired() and not refused:
                return kept
            raise OidcError(f"the login to {self.client.provider_url} has expired: run `airflow-armada login` again")
        token = refreshed(self.client, kept.refresh_token)
        self.cache.write(cache_key(self.client), token)
        return token


def cache_key(client: OidcClient) -> str:
    """:return: the token cache's key of a client; logins for other scopes are other logins."""
    return " ".join([client.provider_url.rstrip("/"), client.client_id, *sorted(client.scopes)])


def refreshed(client: OidcClient, refresh_token: str) -> Token:
    """
    Buy a new token with a refresh token (RFC 6749 section 6).

    :raises OidcError: if the provider refuses it; `code` is "invalid_grant" when it has expired.
    """
    return _granted(client, "refresh_token", {"refresh_token": refresh_token}, refresh_token)


def _granted(client: OidcClient, grant_type: str, fields: dict[str, str], refresh_token: str = "") -> Token:
    answer = client.request_token(grant_type, {name: value for name, value in fields.items() if value})
    return _token(client, answer, refresh_token)


def _token(client: OidcClient, answer: dict[str, Any], refresh_token: str = "") -> Token:
    try:
        return Token.from_answer(answer, refresh_token)
    except ValueError as error:
        raise OidcError(f"the token endpoint of {client.provider_url} was of no use: {error}") from None


def _scope(scopes: tuple[str, ...], *needed: str) -> str:
    return " ".join(dict.fromkeys((*needed, *scopes)))
