"""
OpenID Connect credentials: tokens fetched from a provider and renewed before they expire.

All OpenID Connect of the client lives here and in the modules this one imports (``tokens``, ``oidc_http``,
``token_cache``), the exchange of Kubernetes service account tokens included. The logins that need a person (device and
browser flow) are in ``oidc_login``; they write the token cache that :class:`OidcLogin` reads.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from airflow_armada.client.auth.credentials import read_secret
from airflow_armada.client.auth.oidc_client import OidcClient, OidcError
from airflow_armada.client.auth.renewing import RenewedCredentials
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.auth.tokens import Token

__all__ = ["OidcClient", "OidcClientCredentials", "OidcError", "OidcKubernetes", "OidcLogin", "OidcPassword"]

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True)
class OidcClientCredentials(RenewedCredentials):
    """
    Client credentials grant (RFC 6749 section 4.4): for machines, the usual choice for a worker.

    :param client: the client and its provider
    """

    client: OidcClient

    def fetch(self) -> Token:
        return _granted(self.client, "client_credentials", {"scope": scope_of(self.client.scopes)})


@dataclass(frozen=True)
class OidcPassword(RenewedCredentials):
    """
    Resource owner password grant (RFC 6749 section 4.3), where a site still offers it.

    :param client: the client and its provider
    :param username: the user
    :param password: the password, never shown
    """

    client: OidcClient
    username: str
    password: str = field(repr=False)

    def fetch(self) -> Token:
        person = {"username": self.username, "password": self.password}
        return _granted(self.client, "password", {"scope": scope_of(self.client.scopes, "openid"), **person})


@dataclass(frozen=True)
class OidcKubernetes(RenewedCredentials):
    """
    A Kubernetes service account token exchanged for the provider's: armadactl's ``openIdKubernetesAuth``.

    The grant type "kubernetes" and its address are no standard; they are what armadactl uses (oidc/kubernetes.go).

    :param token_file: projected token; read again for each exchange, since the kubelet replaces it
    """

    client: OidcClient
    token_file: str = SERVICE_ACCOUNT_TOKEN

    def fetch(self) -> Token:
        token = os.environ.get("K8S_SERVICEACCOUNT_TOKEN") or read_secret(self.token_file, "service account token")
        form = {"grant_type": "kubernetes", "client_id": self.client.client_id, "client_assertion": token.strip()}
        answer = self.client.post_to("/connect/token", {**form, "scope": scope_of(self.client.scopes)})
        return token_of(self.client, answer)


@dataclass(frozen=True)
class OidcLogin(RenewedCredentials):
    """
    A person's login from the token cache, renewed by its refresh token; made by `airflow-armada login`.

    :param cache: where the login is kept.
    """

    client: OidcClient
    cache: TokenCache = field(default_factory=TokenCache)

    def fetch(self) -> Token:
        key = cache_key(self.client)
        with self.cache.locked():
            kept = self.cache.read(key)
            if kept is None:
                raise OidcError(f"not logged in to {self.client.provider_url}: run `airflow-armada login`")
            refused = kept.access_token in _refused
            if not refused and (not kept.due() or (not kept.refresh_token and not kept.expired())):
                return kept
            if not kept.refresh_token:
                why = "was refused" if refused else "has expired"
                raise OidcError(f"the login to {self.client.provider_url} {why}: run `airflow-armada login` again")
            token = refreshed(self.client, kept.refresh_token)
            self.cache.write(key, token)
            return token

    def refused(self, authorization: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        _refused.append(token)
        return self.drop(token)


_refused: deque[str] = deque(maxlen=100)
"""Access tokens that a server refused: what the cache still holds of them is renewed whatever it says of its expiry."""


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
    return token_of(client, answer, refresh_token)


def token_of(client: OidcClient, answer: dict[str, Any], refresh_token: str = "") -> Token:
    """
    Read the answer of a token endpoint.

    :param refresh_token: kept when the answer brings no new one
    :raises OidcError: when there is no token in it
    """
    try:
        return Token.from_answer(answer, refresh_token)
    except ValueError as error:
        raise OidcError(f"the token endpoint of {client.provider_url} was of no use: {error}") from None


def scope_of(scopes: tuple[str, ...], *needed: str) -> str:
    """Return the ``scope`` parameter: what is needed and what is wished, each once."""
    return " ".join(dict.fromkeys((*needed, *scopes)))
