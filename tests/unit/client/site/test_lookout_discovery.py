"""What Lookout tells about its site."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.lookout_discovery import LookoutConfig, discovered, parse_config, read_config

BODY = (
    b'window.__LOOKOUT_UI_CONFIG__ = {"armadaApiBaseUrl": "https://armada.example/api", '
    b'"binocularsBaseUrlPattern": "https://logs-{CLUSTER_ID}.example:8443", "oidc": null}'
)


@contextmanager
def lookout(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/lookout-ui-config.js" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_addresses_are_found() -> None:
    with lookout(200, BODY) as url:
        config = read_config(url)

    assert config.armada_target == "armada.example:443"
    assert config.binoculars_target == "logs-{CLUSTER_ID}.example:8443"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("", ""),
        ("https://h", "h:443"),
        ("https://h:8443/api", "h:8443"),
        ("http://h:8080", "h:50051"),
        ("https://[::1]:8443", "[::1]:8443"),
    ],
)
def test_an_http_gateway_points_to_the_grpc_port(url: str, target: str) -> None:
    assert LookoutConfig(url, url).armada_target == target


def test_settings_are_completed_but_not_overruled() -> None:
    found = LookoutConfig(binoculars="https://logs:443")
    bare = SiteSettings(target="a:443")

    assert discovered(bare, found).binoculars == "logs:443"
    assert discovered(bare, found).log_tls == TlsSettings()
    assert discovered(bare, LookoutConfig(binoculars="http://logs:8080")).log_tls is None
    own = SiteSettings(target="a:443", binoculars="mine:1")
    assert discovered(own, found) == own


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"", "HTTP 404"),
        (200, b"<!doctype html><title>Lookout</title>", "not the configuration"),
        (200, b"window.__LOOKOUT_UI_CONFIG__ = ", "not the configuration"),
        (200, bytes(range(256)), "not the configuration"),
        (200, b'window.__LOOKOUT_UI_CONFIG__ = {"armadaApiBaseUrl": 7}', "must be a URL"),
        (200, b'window.__LOOKOUT_UI_CONFIG__ = {"armadaApiBaseUrl": "ftp://x"}', "https://host/path"),
        (200, b'window.__LOOKOUT_UI_CONFIG__ = {"armadaApiBaseUrl": "https://x:99999"}', "a port is from 1 to 65535"),
    ],
)
def test_something_else_at_that_address(status: int, body: bytes, says: str) -> None:
    with lookout(status, body) as url, pytest.raises(SettingsError) as caught:
        read_config(url)

    assert says in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "file:///etc/passwd", "http://"])
def test_nothing_at_that_address(url: str) -> None:
    with pytest.raises(SettingsError):
        read_config(url, timeout=1.0)


@given(
    st.binary(max_size=200)
    | st.text(max_size=60).map(lambda t: b'window.__LOOKOUT_UI_CONFIG__ = {"armadaApiBaseUrl": "' + t.encode() + b'"}')
)
def test_fuzz_no_page_crashes_the_discovery(body: bytes) -> None:
    with suppress(SettingsError):
        parse_config(body, "u")
