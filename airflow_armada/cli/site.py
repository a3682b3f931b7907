"""Which site a command is for."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_armada.cli.output import UsageError
from airflow_armada.client.address import is_loopback
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.client.site.armadactl import read_armadactl
from airflow_armada.hooks.settings import site_settings

VARIABLE = "ARMADA_URL"
DEFAULT_CONNECTION = "armada_default"


@dataclass
class UriConnection:
    """What an Airflow connection with the same URI would hold."""

    conn_id: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra_dejson: dict[str, Any] = field(default_factory=dict, repr=False)


def settings_from(arguments: Namespace) -> SiteSettings:
    """
    Find the site that the arguments name.

    :param arguments: with ``conn_id``, ``uri``, ``armadactl`` and ``context``
    :raises UsageError: when they name several
    :raises SettingsError: when they name one that cannot work
    """
    given = [name for name in ("conn_id", "uri", "armadactl") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UsageError("--conn-id, --uri and --armadactl exclude each other: give one")
    if arguments.armadactl is not None or (arguments.context and not given):
        return read_armadactl(arguments.armadactl or "").settings(arguments.context or "")
    if arguments.context:
        raise UsageError("--context goes with --armadactl only")
    if arguments.uri is not None:
        return settings_of_uri(arguments.uri, "--uri")
    if arguments.conn_id is not None:
        return _airflow_settings(arguments.conn_id)
    if os.environ.get(VARIABLE):
        return settings_of_uri(os.environ[VARIABLE], f"${VARIABLE}")
    return _airflow_settings(DEFAULT_CONNECTION)


def connection_of(arguments: Namespace) -> str:
    """
    Find the Airflow connection that the arguments name.

    :param arguments: with ``conn_id``, ``uri``, ``armadactl`` and ``context``
    :return: its id; empty when they name a site in another way
    """
    other = arguments.uri is not None or arguments.armadactl is not None or arguments.context
    if other or (arguments.conn_id is None and os.environ.get(VARIABLE)):
        return ""
    return arguments.conn_id or DEFAULT_CONNECTION


def settings_of_uri(uri: str, source: str) -> SiteSettings:
    """
    Read a URI like an Airflow connection's; its query holds the connection's extras.

    :param uri: or just ``host:port``, which means TLS unless it is this machine, as armadactl has it
    :param source: what errors call it, since the URI itself may hold a secret
    :raises SettingsError: when it is malformed
    """
    scheme, separator, rest = uri.strip().partition("://")
    bare = not separator
    try:
        parts = urlsplit(f"armada://{uri.strip() if bare else rest}")
        host, port, extra = parts.hostname or "", parts.port, _extra(parts.query, source)
    except ValueError:
        raise SettingsError(f"{source} is not a URI such as grpcs://armada.example:443") from None
    if not host or parts.path not in ("", "/"):
        raise SettingsError(f"{source} is not a URI such as grpcs://armada.example:443, or host:port")
    if bare and is_loopback(host):
        extra.setdefault("tls", False)
    prefix = "" if bare or scheme in ("armada", "airflow-armada") else f"{scheme}://"
    return site_settings(
        UriConnection(
            conn_id=source,
            host=f"{prefix}{host}",
            port=port,
            login=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            extra_dejson=extra,
        ),
        EVERYTHING,
    )


def _extra(query: str, source: str) -> dict[str, Any]:
    """Read the extras out of a query, which Airflow may have packed into one parameter."""
    extra: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    packed = extra.pop("__extra__", None)
    if packed is None:
        return extra
    try:
        values = json.loads(packed)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise SettingsError(f"{source}: __extra__ is not a JSON object")
    return {**values, **extra}


def _airflow_settings(conn_id: str) -> SiteSettings:
    """Ask Airflow, which need not be there for the other ways."""
    try:
        from airflow_armada.hooks.armada import ArmadaHook
    except ImportError as error:
        raise SettingsError(
            f"Airflow cannot be used here ({error.name or 'import failed'}): give --uri, --armadactl or ${VARIABLE}"
        ) from None
    from airflow_armada._compat import AirflowException, AirflowNotFoundException

    try:
        return ArmadaHook(conn_id).settings()
    except SettingsError:
        raise
    except AirflowNotFoundException:
        ways = f"create it, or name a site by --uri, --armadactl or ${VARIABLE}"
        raise SettingsError(f"there is no Airflow connection {conn_id!r}: {ways}") from None
    except AirflowException as error:
        raise SettingsError(f"connection {conn_id!r}: {' '.join(str(error).split())}") from None
