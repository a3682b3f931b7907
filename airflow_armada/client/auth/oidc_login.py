"""
The OpenID Connect logins that need a person: on another device (RFC 8628) or in this machine's browser (RFC 8252).

They are for the command line; what they return goes into the token cache that :class:`~.oidc.OidcLogin` reads.
Imports neither grpc nor Airflow.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from airflow_armada.client.auth.oidc import scope_of, token_of
from airflow_armada.client.auth.oidc_client import ERROR_CODES, OidcClient, OidcError
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.foreign_text import one_line

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
    device_code = _needed(answer, "device_code")
    prompt, interval = _prompt(client, answer), _seconds(answer.get("interval"), _DEFAULT_INTERVAL)
    show(prompt)
    deadline = time.monotonic() + prompt.expires_in
    while time.monotonic() < deadline:
        sleep(interval)
        try:
            return token_of(client, client.request_token(DEVICE_GRANT, {"device_code": device_code}))
        except OidcError as error:
            if error.code == "slow_down" or error.transient:
                interval += 5.0  # RFC 8628 section 3.5
            elif error.code != "authorization_pending":
                raise _device_error(error) from None
    raise OidcError("nobody completed the login in time: try again", "expired_token")


def _prompt(client: OidcClient, answer: dict[str, Any]) -> DevicePrompt:
    complete = answer.get("verification_uri_complete")
    return DevicePrompt(
        address=client.checked(_needed(answer, "verification_uri", "verification_url")),
        code=one_line(_needed(answer, "user_code"), 80),
        complete_address=client.checked(complete) if isinstance(complete, str) and complete else "",
        expires_in=_seconds(answer.get("expires_in"), 600.0),
    )


def _needed(answer: dict[str, Any], *names: str) -> str:
    for name in names:
        value = answer.get(name)
        if isinstance(value, str) and value:
            return value
    raise OidcError(f"the provider's answer to the device login holds no {names[0]}")


def _seconds(value: object, default: float) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 86400
    return float(value) if usable else default  # type: ignore[arg-type]


def _device_error(error: OidcError) -> OidcError:
    if error.code == "access_denied":
        return OidcError("the login was refused", error.code)
    if error.code == "expired_token":
        return OidcError("nobody completed the login in time: try again", error.code)
    return error


@dataclass
class _Visit:
    """What the browser brings back: the parameters of the first request with the right state."""

    state: str
    parameters: dict[str, str] = field(default_factory=dict)
    came: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str) -> int:
        """:return: the HTTP status for a request; one with another state is nobody's answer to this login"""
        parts = urlsplit(path)
        if parts.path != _CALLBACK:
            return 404
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not secrets.compare_digest(parameters.get("state", "").encode(), self.state.encode()):
            return 400
        if not self.came.is_set():
            self.parameters = parameters
            self.came.set()
        return 200


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
    visit, verifier = _Visit(secrets.token_urlsafe(24)), secrets.token_urlsafe(48)
    with _listen(port, visit) as server:
        redirect = f"http://localhost:{server.server_port}{_CALLBACK}"
        show(_authorization_url(client, redirect, verifier, visit.state))
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        came = visit.came.wait(timeout)
        server.shutdown()
    if not came:
        raise OidcError(f"nobody completed the login within {timeout:g} s: try again")
    code = _code(visit.parameters)
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


class _Server(ThreadingHTTPServer):
    """Answers several connections at a time, as one that says nothing must not hold up the others."""

    daemon_threads = True
    block_on_close = False
    connections = threading.BoundedSemaphore(64)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is no news; a trace would hold the authorization code."""


def _listen(port: int, visit: _Visit) -> _Server:
    class Callback(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            status = visit.take(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            text = "You can close this window and go back to the terminal." if status == 200 else "Not this login."
            self.wfile.write(f"{text}\n".encode())

        def log_message(self, *_: Any) -> None:
            """The request line holds the authorization code: never log it."""

    try:
        return _Server(("127.0.0.1", port), Callback)
    except (OSError, OverflowError) as error:
        raise OidcError(f"cannot listen at port {port} for the browser: {getattr(error, 'strerror', error)}") from None


def _code(parameters: dict[str, str]) -> str:
    if "error" in parameters:
        code = parameters["error"] if parameters["error"] in ERROR_CODES else ""
        raise OidcError(f"the login was refused{f': {code}' if code else ''}", code)
    if "code" not in parameters:
        raise OidcError("the browser brought no authorization code: try again")
    return parameters["code"]
