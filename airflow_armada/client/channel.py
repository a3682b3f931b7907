"""Opening channels that fit Armada's servers: TLS, keepalive, message limits, compression, credentials.

Every component tolerates other keepalive pings (``config/server/config.yaml``, ``config/binoculars/config.yaml``): the
server one every 10 s, also while nothing is called; Binoculars one every 5 minutes, and only during a call. More pings
than that and the server hangs up with ENHANCE_YOUR_CALM.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from airflow_armada.api.loopback_token import loopback_port
from airflow_armada.client.auth.credentials import Anonymous, Credentials
from airflow_armada.client.auth.interceptors import aio_interceptors, interceptors
from airflow_armada.client.auth.loopback import LoopbackToken
from airflow_armada.client.authorities import system_roots, verifying_context
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.grpc_trace import exposed
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.small_file import read_file

logger = logging.getLogger(__name__)

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""A ``submitted`` event or a page of job details may well exceed gRPC's default of 4 MiB."""

PING_TIMEOUT_MS = 10_000
MIN_KEEPALIVE_MS = 10_000
LOG_KEEPALIVE_MS = 300_000


def open_channel(settings: SiteSettings, target: str | None = None, log_service: bool = False) -> grpc.Channel:
    """Open a channel for blocking code. Connecting is lazy: an unreachable server shows up in the first call.

    :param settings: the site
    :param target: ``host:port`` to use instead of the Armada server's, for a log service
    :param log_service: whether the other side is Binoculars
    :return: a channel with credentials attached
    :raises SettingsError: when a certificate cannot be used, or credentials would travel in plain text
    """
    tls, target, credentials = _resolve(settings, target, log_service)
    options = channel_options(settings, tls, log_service)
    if tls is None:
        channel = grpc.insecure_channel(target, options=options, compression=grpc.Compression.Gzip)
    else:
        channel = grpc.secure_channel(target, tls_credentials(tls), options=options, compression=grpc.Compression.Gzip)
    chain = interceptors(credentials)
    return grpc.intercept_channel(channel, *chain) if chain else channel


def open_aio_channel(
    settings: SiteSettings, target: str | None = None, log_service: bool = False, own_connection: bool = False
) -> grpc.aio.Channel:
    """Open a channel for the running event loop; otherwise as :func:`open_channel`.

    :param settings: the site
    :param target: ``host:port`` to use instead of the Armada server's, for a log service
    :param log_service: whether the other side is Binoculars
    :param own_connection: share no connection with other channels, as channels with equal options otherwise do
    :return: a channel with credentials attached
    :raises SettingsError: when a certificate cannot be used, or credentials would travel in plain text
    """
    tls, target, credentials = _resolve(settings, target, log_service)
    options = channel_options(settings, tls, log_service)
    if own_connection:
        options.append(("grpc.use_local_subchannel_pool", 1))
    chain = aio_interceptors(credentials)
    gzip = grpc.Compression.Gzip
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options, compression=gzip, interceptors=chain)
    return grpc.aio.secure_channel(target, tls_credentials(tls), options=options, compression=gzip, interceptors=chain)


def _resolve(
    settings: SiteSettings, target: str | None, log_service: bool
) -> tuple[TlsSettings | None, str, Credentials]:
    tls = settings.log_tls if log_service else settings.tls
    target = target or settings.target
    if tls is None and isinstance(settings.credentials, Anonymous) and (port := loopback_port(target)):
        return tls, target, LoopbackToken(port)
    if tls is None and not isinstance(settings.credentials, Anonymous):
        if not settings.allow_plaintext_credentials:
            raise SettingsError(
                f"credentials for {target} would travel in plain text; turn TLS on, or allow it explicitly"
            )
        logger.warning("Credentials for %s travel in plain text, because the connection allows it", target)
    if exposed() and not isinstance(settings.credentials, Anonymous):
        logger.warning("GRPC_TRACE makes gRPC print credentials to standard error; add ,-api at its end")
    return tls, target, settings.credentials


def channel_options(settings: SiteSettings, tls: TlsSettings | None, log_service: bool) -> list[tuple[str, Any]]:
    """Return the gRPC channel options for a component of a site.

    :param settings: the site
    :param tls: the TLS settings in use, or None
    :param log_service: whether the other side is Binoculars
    """
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        ("grpc.initial_reconnect_backoff_ms", 500),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 10_000),
        ("grpc.enable_http_proxy", int(settings.use_proxy)),
        *_keepalive(settings.keepalive_time, log_service),
    ]
    if tls is not None and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


def _keepalive(seconds: float, log_service: bool) -> list[tuple[str, Any]]:
    if not seconds:
        return []
    floor = LOG_KEEPALIVE_MS if log_service else MIN_KEEPALIVE_MS
    return [
        ("grpc.keepalive_time_ms", max(int(seconds * 1000), floor)),
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
        # Without this a black hole is noticed after a minute, whatever keepalive_timeout_ms says (measured, 1.84).
        ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0 if log_service else 1),
        # A silent watch carries no data at all, and its pings must not stop.
        ("grpc.http2.max_pings_without_data", 0),
    ]


def tls_credentials(tls: TlsSettings) -> grpc.ChannelCredentials:
    """Load certificates into channel credentials.

    gRPC itself would accept unusable files and only say so in its own log while every call fails.

    :param tls: the settings
    :raises SettingsError: when a file cannot be read or does not hold what it should
    """
    roots = _read(tls.ca_file, "CA bundle") if tls.ca_file else _default_roots()
    if tls.ca_file:
        _check_roots(tls.ca_file)
    if not tls.cert_file:
        return grpc.ssl_channel_credentials(root_certificates=roots)
    key, chain = _read(tls.key_file, "client key"), _read(tls.cert_file, "client certificate")
    _check_pair(tls.cert_file, tls.key_file)
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


def _default_roots() -> bytes | None:
    """Return the system's CA bundle, or None to let gRPC use the one it brings along, or that its variable names."""
    path = None if os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH") else system_roots()
    return Path(path).read_bytes() if path else None


def _read(path: str, what: str) -> bytes:
    try:
        return read_file(path)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the {what} {path}: {getattr(error, 'strerror', None) or error}") from None


def _check_roots(path: str) -> None:
    try:
        verifying_context(path)
    except (OSError, ValueError):
        raise SettingsError(f"the CA bundle {path} holds no PEM certificate that can be read") from None


def _no_passphrase() -> str:
    raise SettingsError("the client key has a passphrase; use one without, protected by its file mode")


def _check_pair(cert_file: str, key_file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert_file, key_file, password=_no_passphrase)
    except ssl.SSLError as error:
        reason = (
            "they do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "not PEM files of that kind"
        )
        raise SettingsError(f"cannot use client certificate {cert_file} with key {key_file}: {reason}") from None
