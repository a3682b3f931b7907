"""
One small HTTP request with a clear error, for OpenID providers, Lookout and Kubernetes; whom to trust by default.

Imports neither grpc nor Airflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_armada.client.address import check_web_address, is_loopback
from airflow_armada.client.failure import ArmadaError, SettingsError

if TYPE_CHECKING:
    import ssl

BUSY = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may well succeed later."""

_LARGEST_ANSWER = 1 << 20
_SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def system_roots() -> str | None:
    """
    Find the system's CA bundle; ``$SSL_CERT_FILE`` goes first.

    :return: its path, None when there is none at the usual places
    """
    places = (os.environ.get("SSL_CERT_FILE"), *_SYSTEM_ROOTS)
    return next((path for path in places if path and Path(path).is_file()), None)


def exchange(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    ca_file: str = "",
    timeout: float = 10.0,
    use_proxy: bool = True,
    failure: Callable[[str], ArmadaError] = SettingsError,
) -> tuple[int, bytes]:
    """
    Make one HTTP request. What is posted never follows a redirect, since it may hold secrets.

    :param url: an http(s) address
    :param form: fields to post; without them and ``body`` it is a GET
    :param body: what to post instead of a form
    :param headers: further headers
    :param ca_file: PEM bundle to trust instead of the system's roots
    :param timeout: s
    :param use_proxy: honour the environment's proxies, except for this machine
    :param failure: makes the error to raise
    :return: the status and at most 1 MiB of the body
    :raises SettingsError: when the address is none, or the CA file cannot be used
    :raises ArmadaError: what ``failure`` makes, when nothing answers there
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    address = check_web_address(url, "the URL", query=True)
    body = body if form is None else urlencode(form).encode()
    use_proxy = use_proxy and not is_loopback(address.host)
    opener = _opener(_tls_context(url, ca_file), use_proxy=use_proxy, follow=body is None)
    try:
        with opener.open(Request(url, data=body, headers=dict(headers or {})), timeout=timeout) as answer:
            return answer.status, answer.read(_LARGEST_ANSWER)
    except HTTPError as refused:
        return refused.code, refused.read(_LARGEST_ANSWER)
    except (OSError, HTTPException, ValueError) as error:
        raise failure(f"cannot reach {url}: {one_line(_reason(error))}") from None


def one_line(text: object, limit: int = 300) -> str:
    """
    :param text: what somebody else sent
    :param limit: characters
    :return: one printable line of it
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:limit]


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    verification = getattr(reason, "verify_message", "")
    return f"TLS certificate not accepted: {verification}" if verification else str(reason) or type(error).__name__


def _opener(context: ssl.SSLContext | None, *, use_proxy: bool, follow: bool) -> Any:
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    handlers: list[Any] = [HTTPSHandler(context=context)] if context else []
    if not use_proxy:
        handlers.append(ProxyHandler({}))
    return build_opener(*handlers, *([] if follow else [Stay()]))


def _tls_context(url: str, ca_file: str) -> ssl.SSLContext | None:
    import ssl

    if not url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=ca_file or system_roots())
    except (OSError, ValueError) as error:
        reason = one_line(getattr(error, "strerror", None) or error)
        raise SettingsError(f"cannot use the CA file {ca_file}: {reason}") from None
