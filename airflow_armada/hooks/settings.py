"""An Airflow connection read as the settings of an Armada site."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from airflow_armada.client.address import Address, check_web_address, is_loopback, parse_address, parse_template
from airflow_armada.client.auth.credentials import Anonymous
from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.allowed_credentials import NOTHING, AllowedCredentials
from airflow_armada.client.site.default_fields import defaults_from
from airflow_armada.client.site.field_values import FieldValues
from airflow_armada.client.site.fields import credentials_from


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


def _server(connection: ConnectionLike) -> Address:
    host = (connection.host or "").strip()
    if not host:
        raise SettingsError("the connection has no host; it must be the address of the Armada server")
    return parse_address(host, "the host", port=connection.port or None)


def _tls(extra: FieldValues, default: bool, switch: str = "tls") -> TlsSettings | None:
    if not extra.flag(switch, default):
        return None
    names = ("ca_file", "cert_file", "key_file", "server_name")
    return TlsSettings(**{name: extra.text(name) for name in names})


def site_settings(connection: ConnectionLike, allowed: AllowedCredentials = NOTHING) -> SiteSettings:
    """
    Read a connection.

    :param connection: an Airflow connection of type ``armada``.
    :param allowed: what it may take from this machine.
    :return: the settings of the Armada site.
    :raises SettingsError: when the connection cannot work as it is; the text names the connection, no secret.
    """
    try:
        extra = FieldValues(connection.login or "", connection.password or "", _extra_of(connection))
        base = _base(connection, extra, allowed)
        return replace(
            base,
            allow_plaintext_credentials=extra.flag("allow_plaintext_credentials", base.allow_plaintext_credentials),
            lookout_url=extra.text("lookout_url"),
            **_log_services(extra, base),
            call_timeout=extra.number("call_timeout", base.call_timeout),
            command_timeout=extra.number("command_timeout", base.command_timeout),
            keepalive_time=extra.number("keepalive_time", base.keepalive_time),
            use_proxy=extra.flag("use_proxy", base.use_proxy),
            defaults=defaults_from(extra),
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


def _base(connection: ConnectionLike, extra: FieldValues, allowed: AllowedCredentials) -> SiteSettings:
    """Find server and credentials: in the connection itself, in a file of armadactl, or where Lookout says."""
    if extra.text("armadactl"):
        return _from_armadactl(connection, extra, allowed)
    if not (connection.host or "").strip() and extra.text("lookout_url"):
        return _from_lookout(extra, allowed)
    server = _server(connection)
    tls = _tls(extra, not server.plain)
    return SiteSettings(target=server.target, tls=tls, credentials=credentials_from(extra, allowed))


def _log_services(extra: FieldValues, base: SiteSettings) -> dict[str, Any]:
    """Find the log services, and whether they are encrypted: as is said, else by a scheme, else as the server."""
    found: dict[str, Any] = {"binoculars_by_cluster": extra.pairs("binoculars_by_cluster")}
    encrypted: bool | None = None
    if extra.text("binoculars"):
        address = parse_template(extra.text("binoculars"), "extra 'binoculars'")
        found["binoculars"] = address.target
        encrypted = None if address.plain is None else not address.plain
    if extra.text("binoculars_tls") or encrypted is not None:
        found["binoculars_tls"] = _tls(extra, encrypted is not False, "binoculars_tls")
    return found


def _from_armadactl(connection: ConnectionLike, extra: FieldValues, allowed: AllowedCredentials) -> SiteSettings:
    from airflow_armada.client.site.armadactl import read_armadactl

    if connection.host or connection.login or connection.password or extra.text("auth"):
        raise SettingsError("extra 'armadactl' gives server and credentials: leave host, login, password, auth empty")
    allowed.check("armadactl", extra)
    settings = read_armadactl(extra.text("armadactl")).settings(extra.text("armadactl_context"))
    return settings if settings.tls is None else replace(settings, tls=_tls(extra, True))


def _from_lookout(extra: FieldValues, allowed: AllowedCredentials) -> SiteSettings:
    from airflow_armada.client.site.lookout_discovery import discovered, read_config

    credentials, use_proxy = credentials_from(extra, allowed), extra.flag("use_proxy", True)
    lookout = check_web_address(extra.text("lookout_url"), "the Lookout URL")
    if lookout.scheme == "http" and not is_loopback(lookout.host) and not isinstance(credentials, Anonymous):
        raise SettingsError(
            "the Lookout URL is not https: whoever is on the way could send the credentials to a server of his own; "
            "give the host of the Armada server"
        )
    config = read_config(extra.text("lookout_url"), ca_file=extra.text("ca_file"), use_proxy=use_proxy)
    if not config.armada_target:
        raise SettingsError("the connection has no host, and Lookout does not say where the Armada server is")
    settings = SiteSettings(
        target=config.armada_target,
        tls=_tls(extra, config.armada_api.startswith("https:")),
        credentials=credentials,
    )
    return discovered(settings, config)
