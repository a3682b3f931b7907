"""A provider that exchanges service account tokens for its own, as armadactl's openIdKubernetesAuth needs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class TokenExchange(ThreadingHTTPServer):
    """
    Gives a new token for each good service account token.

    :param service_account_tokens: the good ones; may be changed while it runs
    :param issue: makes a token
    :ivar busy: how many requests are still answered with 503
    """

    def __init__(self, service_account_tokens: set[str], issue: Callable[[], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service_account_tokens = service_account_tokens
        self.issue = issue
        self.lifetime = 3600
        self.busy = 0
        self.forms: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Answer a request: status and body."""
        self.forms.append(form)
        if self.busy:
            self.busy -= 1
            return 503, {}
        if form.get("grant_type") != "kubernetes":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("client_assertion") not in self.service_account_tokens:
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": self.issue(), "expires_in": self.lifetime, "token_type": "Bearer"}


class _Handler(BaseHTTPRequestHandler):
    server: TokenExchange

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        status, answer = self.server.exchange(form) if self.path == "/connect/token" else (404, {})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def token_exchange(service_account_tokens: set[str], issue: Callable[[], str]) -> Iterator[TokenExchange]:
    """Run one; see :class:`TokenExchange`."""
    with TokenExchange(service_account_tokens, issue) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
