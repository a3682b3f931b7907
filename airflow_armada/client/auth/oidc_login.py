"""
The OpenID Connect logins that need a person: on another device (RFC 8628) or in this machine's browser (RFC 8252).

They are for the command line; what they return goes into the token cache that :class:`~.oidc.OidcLogin` reads.
Imports neither grpc nor Airflow.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from airflow_armada.client.auth.oidc import scope_of, token_of
from airflow_armada.client.auth.oidc_client import OidcClient, OidcError
from airflow_armada.client.auth.tokens import Token

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_DEFAULT_INTERVAL = 5.0
_CALLBACK = "/auth/callback"


@dataclass(frozen=True)
class DevicePrompt:
    """
    What to tell the person.

    :param address: where to go
    :param code: what to enter there
    :param complete_address: an address that holds the code already, "" when the provider gives none
    :param expires_in: s
    """

    address: str
    code: str
    complete_address: str = ""
    expires_in: float = 600.0


def device_login(
    client: OidcClient, show: Callable[[DevicePrompt], None], sleep: Callable[[float], None] = time.sleep
) -> Token:
    """
    Log in on another device (RFC 8628).

    :param client: the client and its provider
    :param show: tells the person where to go
    :param sleep: waits between two questions, in s
    :raises OidcError: when the person refuses, does not come, or the provider has no such flow
    """
    answer = client.post("device_authorization_endpoint", {"scope": scope_of(client.scopes, "openid")})
    prompt, interval = _prompt(answer), _seconds(answer.get("interval"), _DEFAULT_INTERVAL)
    show(prompt)
    deadline = time.monotonic() + prompt.expires_in
    while time.monotonic() < deadline:
        sleep(interval)
        try:
            return token_of(client, client.request_token(DEVICE_GRANT, {"device_code": str(answer["device_code"])}))
        except OidcError as error:
            if error.code == "slow_down":
                interval += 5.0
            elif error.code != "authorization_pending":
                raise _device_error(error) from None
    raise OidcError("nobody completed the login in time: try again", "expired_token")


def _prompt(answer: dict[str, Any]) -> DevicePrompt:
    try:
        return DevicePrompt(
            address=str(answer.get("verification_uri") or answer["verification_url"]),
            code=str(answer["user_code"]),
            complete_address=str(answer.get("verification_uri_complete") or ""),
            expires_in=_seconds(answer.get("expires_in"), 600.0),
        )
    except KeyError as missing:
        raise OidcError(f"the provider's answer to the device login holds no {missing.args[0]}") from None


def _seconds(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 < value < 86400 else default


def _device_error(error: OidcError) -> OidcError:
    if error.code == "access_denied":
        return OidcError("the login was refused", error.code)
    if error.code == "expired_token":
        return OidcError("nobody completed the login in time: try again", error.code)
    return error


@dataclass
class _Visit:
    """What the browser brought back."""

    parameters: dict[str, str] = field(default_factory=dict)


def browser_login(client: OidcClient, show: Callable[[str], None], *, port: int = 0, timeout: float = 300.0) -> Token:
    """
    Log in with this machine's browser: authorization code with PKCE (RFC 7636, S256) and a loopback redirect.

    The redirect is ``http://localhost:<port>/auth/callback``, as armadactl's, so that one registration serves both.

    :param client: the client and its provider
    :param show: gets the address to open
    :param port: to listen at; 0 takes any free one, which the provider must allow
    :param timeout: s to wait for the person
    :raises OidcError: when the person refuses or does not come
    """
    visit, verifier, state = _Visit(), secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    with _listen(port, visit) as server:
        redirect = f"http://localhost:{server.server_port}{_CALLBACK}"
        show(_authorization_url(client, redirect, verifier, state))
        _await_visit(server, visit, timeout)
    code = _code(visit.parameters, state)
    form = {"code": code, "redirect_uri": redirect, "code_verifier": verifier}
    return token_of(client, client.request_token("authorization_code", form))


def _authorization_url(client: OidcClient, redirect: str, verifier: str, state: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect,
        "scope": scope_of(client.scopes, "openid"),
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
        "code_challenge_method": "S256",
        **dict(client.parameters),
    }
    address = client.endpoint("authorization_endpoint")
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"


def _listen(port: int, visit: _Visit) -> HTTPServer:
    class Callback(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == _CALLBACK:
                visit.parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.send_response(200 if parts.path == _CALLBACK else 404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"You can close this window and go back to the terminal.\n")

        def log_message(self, *_: Any) -> None:
            """The request line holds the authorization code: never log it."""

    try:
        return HTTPServer(("127.0.0.1", port), Callback)
    except (OSError, OverflowError) as error:
        raise OidcError(f"cannot listen at port {port} for the browser: {getattr(error, 'strerror', error)}") from None


def _await_visit(server: HTTPServer, visit: _Visit, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not visit.parameters:
        server.timeout = deadline - time.monotonic()
        if server.timeout <= 0:
            raise OidcError(f"nobody completed the login within {timeout:g} s: try again")
        server.handle_request()


def _code(parameters: dict[str, str], state: str) -> str:
    if not secrets.compare_digest(parameters.get("state", "").encode(), state.encode()):
        raise OidcError("the browser brought the answer to another login: try again")
    if "error" in parameters:
        raise OidcError(f"the login was refused: {parameters['error']}", parameters["error"])
    if "code" not in parameters:
        raise OidcError("the browser brought no authorization code: try again")
    return parameters["code"]
