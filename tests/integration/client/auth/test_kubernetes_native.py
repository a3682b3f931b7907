"""A service account's token is requested from the Kubernetes API server, over real TLS."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.failure import CredentialsError
from tests.support.identities import make_identity


class ApiServer(ThreadingHTTPServer):
    """Answers TokenRequests as Kubernetes does, for one service account with one mounted token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.expires = "2999-01-01T00:00:00Z"


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body))
        known = self.path == "/api/v1/namespaces/team/serviceaccounts/robot/token"
        allowed = known and self.headers["Authorization"] == "Bearer mounted"
        token = f"token-{len(self.server.requests)}"
        self.send_response(201 if allowed else 403)
        self.end_headers()
        status = {"token": token, "expirationTimestamp": self.server.expires}
        self.wfile.write(json.dumps({"kind": "TokenRequest", "status": status if allowed else {}}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A cluster's API server, and a pod's folder with its CA, namespace and token."""
    authority = make_identity(tmp_path, "authority")
    identity = make_identity(tmp_path, "127.0.0.1", authority)
    server = ApiServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert_file, identity.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "ca.crt").write_text(Path(authority.cert_file).read_text())
    (tmp_path / "namespace").write_text("team\n")
    (tmp_path / "token").write_text("mounted")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.server_port))
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    monkeypatch.setenv("SERVICE_ACCOUNT", "robot")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def shown_token(authorization: str) -> str:
    body = authorization.removeprefix("KubernetesAuth ")
    return str(json.loads(base64.urlsafe_b64decode(body + "=="))["token"])


def test_a_token_is_requested_once_and_kept_until_it_is_refused(api_server: ApiServer, tmp_path: Path) -> None:
    credentials = KubernetesNative(expiry=900, directory=str(tmp_path))

    headers = [credentials.authorization() for _ in range(3)]
    retry = credentials.refused(headers[0])
    renewed = credentials.authorization()

    assert {shown_token(header) for header in headers} == {"token-1"}
    assert (retry, shown_token(renewed)) == (True, "token-2")
    path, body = api_server.requests[0]
    assert path == "/api/v1/namespaces/team/serviceaccounts/robot/token"
    assert body["spec"]["expirationSeconds"] == 900


def test_a_token_is_requested_again_when_it_has_expired(api_server: ApiServer, tmp_path: Path) -> None:
    api_server.expires = "2020-01-01T00:00:00Z"
    credentials = KubernetesNative(directory=str(tmp_path), service_account="robot", namespace="team")

    assert [shown_token(credentials.authorization()) for _ in range(2)] == ["token-1", "token-2"]


def test_a_service_account_without_permission_is_an_error_of_one_line(api_server: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="answered 403") as caught:
        KubernetesNative(directory=str(tmp_path), service_account="other").authorization()

    assert "mounted" not in str(caught.value)


def test_an_api_server_of_another_authority_is_not_trusted(api_server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(Path(make_identity(tmp_path, "stranger").cert_file).read_text())

    with pytest.raises(CredentialsError, match="certificate not accepted"):
        KubernetesNative(directory=str(tmp_path)).authorization()

    assert api_server.requests == []


def test_a_header_made_of_what_is_mounted_follows_the_kubelet(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVICE_ACCOUNT")
    credentials = KubernetesNative(directory=str(tmp_path))
    before = credentials.authorization()
    (tmp_path / "token").write_text("mounted-again")

    retry = credentials.refused(before)

    assert (shown_token(before), retry) == ("mounted", True)
    assert shown_token(credentials.authorization()) == "mounted-again"
    assert api_server.requests == []


@pytest.mark.parametrize("missing", ["token", "ca.crt", "namespace"])
def test_a_file_that_is_not_mounted_is_named(api_server: ApiServer, tmp_path: Path, missing: str) -> None:
    (tmp_path / missing).unlink()

    with pytest.raises(CredentialsError, match=f"cannot read .*/{missing}"):
        KubernetesNative(directory=str(tmp_path), service_account="robot").authorization()
