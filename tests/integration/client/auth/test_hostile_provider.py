"""Providers of tokens that drip, lead astray, or repeat what they were sent: each attempt fails."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_armada.client.auth.http_request import exchange
from airflow_armada.client.auth.oidc import OidcClientCredentials
from airflow_armada.client.auth.oidc_client import OidcClient, OidcError, struck
from airflow_armada.client.auth.oidc_login import device_login
from airflow_armada.client.failure import CredentialsError, SettingsError
from airflow_armada.client.site.diagnose import diagnose
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.certificates import Certificates
from tests.support.sites import plain
from tests.support.web_server import Request, WebServer, send, web_server

SECRET = "CANARY+client/secret=~0123456789"
DISCOVERY = "/.well-known/openid-configuration"


@contextmanager
def provider(
    token: Any, certificates: Certificates | None = None, **document: Any
) -> Iterator[tuple[WebServer, OidcClient]]:
    """Run a provider whose token endpoint answers as a test says."""

    def answer(request: Request, handler: BaseHTTPRequestHandler) -> None:
        if request.path == DISCOVERY:
            base = server.url
            published = {"issuer": base, "token_endpoint": f"{base}/token", **document}
            published.setdefault("device_authorization_endpoint", f"{base}/device")
            send(handler, 200, json.dumps(published))
        else:
            token(request, handler)

    with web_server(answer, certificates) as server:
        ca_file = str(certificates.ca_file) if certificates else ""
        yield server, OidcClient(server.url, "machine", SECRET, ca_file=ca_file, parameters=(("more", "CANARY-more"),))


@contextmanager
def dripping(greeting: bytes, drop: bytes) -> Iterator[str]:
    """Run a server that sends a byte now and then, for ever."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)
                while not stop.wait(0.05):
                    connection.sendall(drop)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept() where nobody came
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("greeting", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"b"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"b"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", b"b"),
    ],
)
def test_an_answer_that_drips_is_given_up_when_its_time_has_come(greeting: bytes, drop: bytes) -> None:
    with dripping(greeting, drop) as url, pytest.raises(SettingsError, match=r"no answer came within 0\.5 s"):
        exchange(url, timeout=0.5)


@pytest.mark.parametrize("tls", [False, True])
def test_so_is_a_handshake_that_drips_and_a_proxy(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(b"\x16\x03\x03\x40\x00" if tls else b"HTTP/1.1 200 OK\r\nA: ", b"a") as url:
        if tls:
            target = url.replace("http:", "https:")
        else:
            target = "https://provider.example"
            monkeypatch.setenv("https_proxy", url)
        with pytest.raises(SettingsError, match=r"no answer came within 0\.5 s"):
            exchange(target, timeout=0.5)


def test_a_discovery_that_leads_from_https_to_http_is_not_believed(certificates: Certificates) -> None:
    def plain_answer(request: Request, handler: BaseHTTPRequestHandler) -> None:
        document = {"issuer": secure.url, "token_endpoint": f"{attacker.url}/token"}
        send(handler, 200, json.dumps(document))

    with (
        web_server(plain_answer) as attacker,
        web_server(
            lambda _, handler: send(handler, 302, Location=f"{attacker.url}{DISCOVERY}"), certificates
        ) as secure,
    ):
        client = OidcClient(secure.url, "machine", SECRET, ca_file=str(certificates.ca_file))
        with pytest.raises(CredentialsError, match="leads on to an address that is not https"):
            OidcClientCredentials(client).authorization()

    assert attacker.requests == []


def test_an_https_provider_cannot_name_a_plain_endpoint_of_this_machine(certificates: Certificates) -> None:
    with (
        web_server(lambda _, handler: send(handler, 200, "{}")) as attacker,
        provider(None, certificates, token_endpoint=f"{attacker.url}/token") as (_, client),
        pytest.raises(CredentialsError, match="would carry secrets in plain text"),
    ):
        OidcClientCredentials(client).authorization()

    assert attacker.requests == []


def test_what_is_posted_follows_no_redirect() -> None:
    with (
        web_server(lambda _, handler: send(handler, 200, "{}")) as attacker,
        provider(lambda _, handler: send(handler, 307, Location=attacker.url)) as (_, client),
        pytest.raises(CredentialsError, match="HTTP 307"),
    ):
        OidcClientCredentials(client).authorization()

    assert attacker.requests == []


def forms_of(secret: str) -> list[str]:
    """Return the forms in which a secret was sent."""
    pair = f"machine:{quote_plus(secret)}".encode()
    return [secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(pair).decode(), "CANARY-more"]


@pytest.mark.parametrize("where", ["error", "error_description", "issuer", "not JSON", "not HTTP"])
def test_a_provider_that_repeats_what_it_was_sent_does_not_get_it_into_our_texts(
    where: str, caplog: pytest.LogCaptureFixture, armada: StandaloneArmada
) -> None:
    def repeat(request: Request, handler: BaseHTTPRequestHandler) -> None:
        all_of_it = f"{request.headers} {request.body} {SECRET}"
        if where == "not HTTP":
            handler.wfile.write(all_of_it.encode() + b"\r\n\r\n")
        elif where == "not JSON":
            send(handler, 400, all_of_it)
        else:
            send(handler, 400, json.dumps({"error": "invalid_request", where: all_of_it}))

    caplog.set_level(logging.DEBUG)
    with provider(repeat) as (_, client):
        credentials = OidcClientCredentials(client)
        with pytest.raises(CredentialsError) as caught:
            credentials.authorization()
        diagnosis = json.dumps(diagnose(plain(armada, credentials=credentials)).to_dict())

    for form in forms_of(SECRET):
        assert form not in str(caught.value) + diagnosis + caplog.text


def test_striking_out_leaves_the_rest_of_a_text() -> None:
    assert struck("nothing of it", ["secret"]) == "nothing of it"
    assert struck("Basic c2VjcmV0 and secret and c2VjcmV0", ["secret", "Basic c2VjcmV0"]) == "Basic *** and *** and ***"


@pytest.mark.parametrize("methods", [5, "client_secret_post", {}, [], None, [5], ["client_secret_basic"]])
def test_a_document_of_wrong_types_is_read_as_if_it_said_nothing(methods: Any) -> None:
    def grant(_: Request, handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, json.dumps({"access_token": "token"}))

    with provider(grant, token_endpoint_auth_methods_supported=methods) as (server, client):
        assert OidcClientCredentials(client).authorization() == "Bearer token"
        assert server.requests[-1].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("endpoint", [5, "", None, [], "nonsense", "javascript:alert(1)", "https://a:b@h/token"])
def test_an_endpoint_that_is_none_is_an_error_of_one_line(endpoint: Any) -> None:
    with provider(None, token_endpoint=endpoint) as (_, client), pytest.raises(CredentialsError) as caught:
        OidcClientCredentials(client).authorization()

    assert "\n" not in str(caught.value)


def device(answers: list[Any], prompt: dict[str, Any]) -> Any:
    """Return what a token endpoint does for a device login."""

    def answer(request: Request, handler: BaseHTTPRequestHandler) -> None:
        if request.path == "/device":
            send(handler, 200, json.dumps(prompt))
        else:
            status, body = answers.pop(0)
            send(handler, status, json.dumps(body))

    return answer


PROMPT = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://login.example/device", "interval": 1}


def test_a_device_login_outlives_a_busy_provider() -> None:
    answers = [
        (400, {"error": "authorization_pending"}),
        (503, {}),
        (400, {"error": "slow_down"}),
        (200, {"access_token": "t"}),
    ]
    pauses: list[float] = []

    with provider(device(answers, PROMPT)) as (server, _):
        client = OidcClient(server.url, "person")
        token = device_login(client, lambda _: None, sleep=pauses.append)

    assert token.access_token == "t"
    assert pauses == [1.0, 1.0, 6.0, 11.0]


@pytest.mark.parametrize(
    "hostile",
    [
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "https://login.example/\x1b]0;owned\x07"},
        {"verification_uri": 5},
        {"verification_uri": "http://login.example/"},
        {"verification_uri_complete": "file:///etc/passwd"},
        {"user_code": ["A"]},
        {"device_code": 7},
    ],
)
def test_a_device_prompt_that_no_browser_should_see_is_refused(hostile: dict[str, Any]) -> None:
    with provider(device([], {**PROMPT, **hostile})) as (server, _):
        client = OidcClient(server.url, "person")
        with pytest.raises(OidcError):
            device_login(client, lambda _: pytest.fail("it was shown"), sleep=lambda _: None)


def test_the_code_of_a_device_prompt_is_shown_without_what_a_terminal_obeys() -> None:
    shown: list[str] = []
    with provider(device([(200, {"access_token": "t"})], {**PROMPT, "user_code": "A\x1b[2J\u202eB" * 100})) as (
        server,
        _,
    ):
        client = OidcClient(server.url, "person")
        device_login(client, lambda prompt: shown.append(prompt.code), sleep=lambda _: None)

    assert shown[0].isprintable()
    assert len(shown[0]) < 150


@pytest.mark.parametrize("answer", [{"access_token": 5}, {"access_token": ""}, [], 7, {"access_token": "two words"}])
def test_an_answer_without_a_token_is_an_error(answer: Any) -> None:
    with (
        provider(lambda _, handler: send(handler, 200, json.dumps(answer))) as (_, client),
        pytest.raises(CredentialsError),
    ):
        OidcClientCredentials(client).authorization()


def test_an_endless_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    def endless(_: Request, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(b"x" * 65536)

    with web_server(endless) as server:
        _, body = exchange(server.url)

    assert len(body) == 1 << 20
