"""
One small HTTP request with a clear error, for OpenID providers, Lookout and Kubernetes.

Imports neither grpc nor Airflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_armada.client.address import check_web_address, is_loopback
from airflow_armada.client.authorities import verifying_context
from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.foreign_text import one_line

if TYPE_CHECKING:
    import ssl

    from airflow_armada.client.auth.http_deadline import Deadline

BUSY = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may well succeed later."""

_LARGEST_ANSWER = 1 << 20


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
    Make one HTTP request. What is posted never follows a redirect, since it may hold secrets, and nothing follows one
    from https to http.

    :param url: an http(s) address
    :param form: fields to post; without them and ``body`` it is a GET
    :param body: what to post instead of a form
    :param headers: further headers
    :param ca_file: PEM bundle to trust instead of the system's roots
    :param timeout: s for all of it, whatever drips in meanwhile
    :param use_proxy: honour the environment's proxies, except for this machine
    :param failure: makes the error to raise
    :return: the status and at most 1 MiB of the body
    :raises SettingsError: when the address is none, or the CA file cannot be used
    :raises ArmadaError: what ``failure`` makes, when nothing answers there
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    from airflow_armada.client.auth.http_deadline import Deadline

    address = check_web_address(url, "the URL", query=True)
    body = body if form is None else urlencode(form).encode()
    use_proxy = use_proxy and not is_loopback(address.host)
    with Deadline(timeout) as deadline:
        context = _tls_context(ca_file, failure) if address.scheme == "https" or body is None else None
        opener = _opener(deadline, context, use_proxy=use_proxy, follow=body is None)
        try:
            with opener.open(Request(url, data=body, headers=dict(headers or {})), timeout=timeout) as answer:
                status, content = answer.status, answer.read(_LARGEST_ANSWER)
        except HTTPError as refused:
            status, content = refused.code, b""
            with refused, suppress(OSError, HTTPException):
                content = refused.read(_LARGEST_ANSWER)
        except HTTPException:
            # Its text repeats what the server sent, and with it perhaps what it was sent.
            raise failure(f"cannot reach {url}: {_late(deadline) or 'it does not answer in HTTP'}") from None
        except (OSError, ValueError) as error:
            raise failure(f"cannot reach {url}: {_late(deadline, error) or one_line(_reason(error))}") from None
    if deadline.passed:
        raise failure(f"cannot reach {url}: {_late(deadline)}")
    return status, content


def _late(deadline: Deadline, error: Exception | None = None) -> str:
    """Say that the time was up, whether the deadline or the timeout of a socket, which has the same end, was first."""
    late = deadline.passed or isinstance(getattr(error, "reason", error), TimeoutError)
    return f"no answer came within {deadline.seconds:g} s" if late else ""


class UnsafeRedirect(OSError):
    """A server that was asked by https leads on to where everybody can listen and answer."""


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    verification = getattr(reason, "verify_message", "")
    return f"TLS certificate not accepted: {verification}" if verification else str(reason) or type(error).__name__


def _opener(deadline: Deadline, context: ssl.SSLContext | None, *, use_proxy: bool, follow: bool) -> Any:
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, request: Any, file: Any, code: Any, text: Any, headers: Any, url: str) -> Any:
            if not follow:
                return None
            if not url.lower().startswith(("https:",) if request.type == "https" else ("https:", "http:")):
                raise UnsafeRedirect("it leads on to an address that is not https")
            return super().redirect_request(request, file, code, text, headers, url)

    proxies = [] if use_proxy else [ProxyHandler({})]
    return build_opener(*deadline.handlers(context), *proxies, Redirects())


def _tls_context(ca_file: str, failure: Callable[[str], ArmadaError]) -> ssl.SSLContext:
    try:
        return verifying_context(ca_file)
    except FileNotFoundError:
        # Whoever renews a bundle may take it away for a moment.
        raise failure(f"the CA file {ca_file} is not there") from None
    except (OSError, ValueError) as error:
        reason = one_line(getattr(error, "strerror", None) or error)
        raise SettingsError(f"cannot use the CA file {ca_file}: {reason}") from None
