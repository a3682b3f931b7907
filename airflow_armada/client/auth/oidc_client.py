"""The HTTP side of OpenID Connect: discovery and the token endpoint. Imports neither grpc nor Airflow."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from airflow_armada.client.address import check_web_address, is_loopback
from airflow_armada.client.auth.holds_secrets import HoldsSecrets
from airflow_armada.client.auth.http_request import BUSY, exchange
from airflow_armada.client.failure import CredentialsError, SettingsError
from airflow_armada.client.foreign_text import one_line

logger = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds that one HTTP request to a provider may take."""

_DISCOVERY_LIFETIME = 600.0


class OidcError(CredentialsError):
    """
    An OpenID Connect provider could not be used; the text says which one, why and what to do.

    :param code: the provider's error code (RFC 6749 section 5.2), "" when it gave none.
    """

    def __init__(self, message: str, code: str = "", *, transient: bool = False) -> None:
        super().__init__(message, transient=transient)
        self.code = code


@dataclass(frozen=True)
class OidcClient(HoldsSecrets):
    """
    One registered client of one OpenID Connect provider.

    :param provider_url: the issuer, e.g. "https://login.example/realms/main".
    :param client_secret: "" for a public client.
    :param scopes: asked for; "openid" is added where the grant needs it.
    :param parameters: more parameters of a token request, e.g. (("audience", "armada"),).
    :param ca_file: PEM file of the provider's CA; "" = the system's roots.
    :param allow_http: let secrets go over plain HTTP to a host that is not this one.
    :param use_proxy: honour the environment's proxies.
    """

    provider_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    allow_http: bool = False
    use_proxy: bool = True

    def endpoint(self, name: str) -> str:
        """
        :param name: a key of the discovery document, e.g. "token_endpoint".
        :return: its URL.
        :raises OidcError: if the provider cannot be reached or has no such endpoint.
        """
        url = discover(self).get(name)
        if not isinstance(url, str) or not url:
            raise OidcError(
                f"OpenID provider {self.provider_url} publishes no {name}: it does not offer this way to log in"
            )
        return self.checked(url)

    def checked(self, url: str) -> str:
        """
        :return: the URL.
        :raises OidcError: if it is none, or if secrets would go there in plain text.
        """
        try:
            address = check_web_address(url, "the URL of the OpenID provider", query=True)
        except SettingsError as error:
            raise OidcError(str(error)) from None
        # A provider on this machine may speak plain HTTP; one that is asked by https may not lead back to it.
        here = is_loopback(address.host) and not self.provider_url.startswith("https:")
        if address.scheme == "http" and not here and not self.allow_http:
            raise OidcError(f"{url} would carry secrets in plain text: use https, or allow plain HTTP explicitly")
        return url

    def request_token(self, grant_type: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """
        Ask the token endpoint.

        :param grant_type: RFC 6749's name of the grant.
        :param fields: the grant's parameters.
        :return: the answer.
        :raises OidcError: if it is refused; `code` holds the provider's error code.
        """
        form = {"grant_type": grant_type, **dict(self.parameters), **fields}
        return self.post("token_endpoint", form)

    def post(self, endpoint: str, form: Mapping[str, str]) -> dict[str, Any]:
        """
        Post a form as this client; see :meth:`request_token`.

        :param endpoint: a key of the discovery document
        """
        headers, identity = self._authentication()
        return _request(self, self.endpoint(endpoint), {**form, **identity}, headers)

    def post_to(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """
        Post a form to a fixed path below the provider's URL, without discovery; see :meth:`request_token`.
        """
        return _request(self, self.checked(self.provider_url.rstrip("/") + path), dict(form), {})

    def _authentication(self) -> tuple[dict[str, str], dict[str, str]]:
        if not self.client_secret:
            return {}, {"client_id": self.client_id}
        methods = discover(self).get("token_endpoint_auth_methods_supported")
        if not isinstance(methods, list) or not methods:
            methods = ["client_secret_basic"]  # OpenID Connect Discovery 1.0 section 3
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}, {}
        return {}, {"client_id": self.client_id, "client_secret": self.client_secret}


_discovered: dict[tuple[str, str, bool, bool], tuple[float, dict[str, Any]]] = {}
_discovering = threading.Lock()


def discover(client: OidcClient) -> dict[str, Any]:
    """
    Read a provider's discovery document (OpenID Connect Discovery 1.0 section 4), kept for ten minutes.

    :raises OidcError: if it cannot be read, or is another issuer's.
    """
    key = (client.provider_url, client.ca_file, client.allow_http, client.use_proxy)
    with _discovering:
        known = _discovered.get(key)
    if known and time.monotonic() - known[0] < _DISCOVERY_LIFETIME:
        return known[1]
    document = _read_discovery(client)
    with _discovering:
        _discovered[key] = (time.monotonic(), document)
    return document


def _read_discovery(client: OidcClient) -> dict[str, Any]:
    provider = client.provider_url.rstrip("/")
    url = client.checked(f"{provider}/.well-known/openid-configuration")
    document = _request(client, url, None, {})
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != provider:
        shown = struck(_text(issuer), [client.client_secret])
        raise OidcError(f"{url} belongs to the issuer {shown!r}: set the provider URL to exactly that")
    return document


def _request(client: OidcClient, url: str, form: Mapping[str, str] | None, headers: dict[str, str]) -> dict[str, Any]:
    headers = {"Accept": "application/json", **headers}
    status, body = exchange(
        url,
        form=form,
        headers=headers,
        ca_file=client.ca_file,
        timeout=TIMEOUT,
        use_proxy=client.use_proxy,
        failure=_unreachable,
    )
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if 200 <= status < 300 and isinstance(answer, dict):
        return answer
    if not isinstance(answer, dict):
        text = f"{url} answered HTTP {status} and no JSON: is this an OpenID Connect provider?"
        raise OidcError(text, transient=status in BUSY)
    code = str(answer.get("error"))
    code = code if code in ERROR_CODES else ""
    transient = status in BUSY or code in ("temporarily_unavailable", "server_error")
    if answer.get("error_description"):
        sent = [*headers.values(), *(value for name, value in (form or {}).items() if name not in _PUBLIC)]
        logger.debug("%s says: %s", url, struck(_text(answer["error_description"]), sent))
    raise OidcError(_refusal(url, client.client_id, status, code), code, transient=transient)


def _unreachable(message: str) -> OidcError:
    return OidcError(message, transient=True)


_HINTS = {
    "invalid_client": "check the client id and secret",
    "invalid_grant": "check the user name and password, or log in again with `airflow-armada login`",
    "invalid_scope": "check the scopes",
    "unauthorized_client": "allow this grant type for the client at the provider",
    "unsupported_grant_type": "the provider does not offer this way to log in",
    "invalid_target": "check the audience or resource parameter",
}


ERROR_CODES = frozenset(_HINTS) | {
    *("invalid_request", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable"),
    *("authorization_pending", "slow_down", "expired_token", "login_required", "consent_required"),
    *("interaction_required", "account_selection_required", "invalid_dpop_proof", "use_dpop_nonce"),
}
"""The error codes of RFC 6749, 8628, 8707, 9449 and OpenID Connect; anything else may repeat what was sent."""

_PUBLIC = frozenset({"grant_type", "scope", "client_id", "redirect_uri"})


def _refusal(url: str, client_id: str, status: int, code: str) -> str:
    text = f"{url} refused client {client_id!r}: {code or f'HTTP {status}'}"
    return f"{text}; {_HINTS[code]}" if code in _HINTS else text


def struck(text: str, secrets: Iterable[str]) -> str:
    """
    Strike out what was sent from a text that came back, in each form in which it may be repeated.

    :param text: what a server sent
    :param secrets: what it had been sent
    """
    for secret in (one.removeprefix("Basic ").removeprefix("Bearer ") or one for one in secrets):
        raw = secret.encode("utf-8", "surrogatepass")
        encoded = [encode(raw).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)]
        forms = [secret, quote(raw, safe=""), quote(raw), quote_plus(raw), *encoded]
        for form in sorted(filter(None, forms), key=len, reverse=True):
            text = text.replace(form, "***")
    return text


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""
