"""An Airflow connection read as the settings of an Armada site."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.field_values import FieldValues
from airflow_armada.client.site.fields import credentials_from

DEFAULT_PORT = 50051

_GRPC_NAMES = ("dns:", "unix:", "ipv4:", "ipv6:", "xds:")
_SCHEMES = {"https": True, "grpcs": True, "http": False, "grpc": False}


class ConnectionLike(Protocol):
    """The part of an Airflow connection that is read here."""

    conn_id: str
    host: str | None
    port: int | None
    login: str | None
    password: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra as a dictionary."""


def _split_host(connection: ConnectionLike) -> tuple[str, bool]:
    """Return ``host:port`` and whether the host's scheme, if it has one, asks for TLS."""
    host = (connection.host or "").strip().rstrip("/")
    if host.startswith(_GRPC_NAMES):
        return host, True
    scheme, separator, rest = host.partition("://")
    tls = True
    if separator:
        if scheme.lower() not in _SCHEMES:
            raise SettingsError(f"the host {host!r} has an unknown scheme; write host:port")
        host, tls = rest, _SCHEMES[scheme.lower()]
    if not host:
        raise SettingsError("the connection has no host; it must be the address of the Armada server")
    if connection.port:
        return f"{_bracketed(host)}:{connection.port}", tls
    return (host, tls) if _has_port(host) else (f"{_bracketed(host)}:{DEFAULT_PORT}", tls)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _has_port(host: str) -> bool:
    return "]:" in host if host.startswith("[") else host.count(":") == 1


def _tls(extra: FieldValues, default: bool, switch: str = "tls") -> TlsSettings | None:
    if not extra.flag(switch, default):
        return None
    names = ("ca_file", "cert_file", "key_file", "server_name")
    return TlsSettings(**{name: extra.text(name) for name in names})


def site_settings(connection: ConnectionLike) -> SiteSettings:
    """
    Read a connection.

    :param connection: an Airflow connection of type ``armada``.
    :return: the settings of the Armada site.
    :raises SettingsError: when the connection cannot work as it is; the text names the connection, no secret.
    """
    try:
        extra = FieldValues(connection.login or "", connection.password or "", _extra_of(connection))
        base = _base(connection, extra)
        return replace(
            base,
            allow_plaintext_credentials=extra.flag("allow_plaintext_credentials", base.allow_plaintext_credentials),
            lookout_url=extra.text("lookout_url"),
            binoculars=extra.text("binoculars") or base.binoculars,
            binoculars_by_cluster=extra.pairs("binoculars_by_cluster"),
            binoculars_tls=_tls(extra, True, "binoculars_tls") if extra.text("binoculars_tls") else base.binoculars_tls,
            call_timeout=extra.number("call_timeout", base.call_timeout),
            keepalive_time=extra.number("keepalive_time", base.keepalive_time),
            use_proxy=extra.flag("use_proxy", base.use_proxy),
        )
    except (ArmadaError, ValueError) as error:
        raise SettingsError(f"connection {connection.conn_id!r}: {error}") from None


def _extra_of(connection: ConnectionLike) -> dict[str, Any]:
    try:
        extra: Any = connection.extra_dejson or {}
    except (ValueError, RecursionError):
        extra = None
    if not isinstance(extra, dict):
        raise SettingsError("the extra must be a JSON object")
    return extra


def _base(connection: ConnectionLike, extra: FieldValues) -> SiteSettings:
    """Find server and credentials: in the connection itself, in a file of armadactl, or where Lookout says."""
    if extra.text("armadactl"):
        return _from_armadactl(connection, extra)
    if not (connection.host or "").strip() and extra.text("lookout_url"):
        return _from_lookout(connection, extra)
    target, tls = _split_host(connection)
    return SiteSettings(target=target, tls=_tls(extra, tls), credentials=credentials_from(extra))


def _from_armadactl(connection: ConnectionLike, extra: FieldValues) -> SiteSettings:
    from airflow_armada.client.site.armadactl import read_armadactl

    if connection.host or connection.login or connection.password or extra.text("auth"):
        raise SettingsError("extra 'armadactl' gives server and credentials: leave host, login, password, auth empty")
    settings = read_armadactl(extra.text("armadactl")).settings(extra.text("armadactl_context"))
    return settings if settings.tls is None else replace(settings, tls=_tls(extra, True))


def _from_lookout(connection: ConnectionLike, extra: FieldValues) -> SiteSettings:
    from airflow_armada.client.site.lookout_discovery import discovered, read_config

    use_proxy = extra.flag("use_proxy", True)
    config = read_config(extra.text("lookout_url"), ca_file=extra.text("ca_file"), use_proxy=use_proxy)
    if not config.armada_target:
        raise SettingsError("the connection has no host, and Lookout does not say where the Armada server is")
    settings = SiteSettings(
        target=config.armada_target,
        tls=_tls(extra, config.armada_api.startswith("https:")),
        credentials=credentials_from(extra),
    )
    return discovered(settings, config)
