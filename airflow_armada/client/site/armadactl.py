"""
Armada's own command-line configuration, ``.armadactl.yaml``, as the source of a site's settings.

Which keys exist and which of them wins is decided in armadactl's ``pkg/client/connection.go`` and ``command_line.go``.
Imports neither grpc nor Airflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_armada.client.address import is_loopback, parse_address
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site.armadactl_credentials import credentials_of
from airflow_armada.client.site.armadactl_yaml import read_yaml
from airflow_armada.client.small_file import read_file

DEFAULT_PATH = "~/.armadactl.yaml"
DEFAULT_URL = "localhost:50051"


@dataclass(frozen=True)
class ArmadactlFile:
    """
    A configuration that has been read. Keys are in lower case, as armadactl does not tell them apart by case.

    :param path: where it was read, for errors
    :param current_context: name of the context to use, "" when the file names none
    :param contexts: what each context holds; a file of the deprecated form without contexts has one named ""
    """

    path: str
    current_context: str
    contexts: Mapping[str, Mapping[str, Any]]

    def settings(self, context: str = "") -> SiteSettings:
        """
        Make the settings that armadactl would use.

        :param context: name of a context; "" takes the file's current one
        :raises SettingsError: when there is no such context, or what it holds cannot work
        :raises CredentialsError: when its credentials cannot work
        """
        name, details = self._context(context)
        where = f"{self.path}, context {name!r}" if name else self.path
        url = _text(details, "armadaurl", where) or DEFAULT_URL
        address = parse_address(url, f"{where}: armadaUrl")
        forced = _flag(details, "forcenotls", where)
        plaintext = forced or "localhost" in url or address.plain is True
        keepalive = _seconds(details.get("grpckeepalivetime"), where)
        settings = SiteSettings(
            target=address.target,
            tls=None if plaintext else TlsSettings(),
            credentials=credentials_of(details, where),
            allow_plaintext_credentials=forced or is_loopback(address.host),
        )
        return settings if keepalive is None else replace(settings, keepalive_time=keepalive and max(keepalive, 10.0))

    def _context(self, wanted: str) -> tuple[str, Mapping[str, Any]]:
        name = wanted or self.current_context
        if "" in self.contexts and not name:
            return "", self.contexts[""]
        found = {key: value for key, value in self.contexts.items() if key.lower() == name.lower()}
        if not name or not found:
            known = ", ".join(sorted(filter(None, self.contexts))) or "none"
            missing = f"has no context {name!r}" if name else "names no currentContext"
            raise SettingsError(f"{self.path} {missing}; contexts there: {known}")
        return next(iter(found.items()))


def read_armadactl(path: str = "") -> ArmadactlFile:
    """
    Read a configuration file.

    :param path: "" = ``~/.armadactl.yaml``
    :raises SettingsError: when it cannot be read or is not a configuration of armadactl
    """
    file = Path(path or DEFAULT_PATH).expanduser()
    try:
        content = read_file(str(file))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise SettingsError(f"cannot read the armadactl configuration {file}: {reason}") from None
    return parse_armadactl(content, str(file))


def parse_armadactl(content: bytes, path: str) -> ArmadactlFile:
    """
    Read the text of a configuration file.

    :param content: YAML
    :param path: where it comes from, for errors
    :raises SettingsError: when it is not a configuration of armadactl
    """
    document = read_yaml(content, path)
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path} is not an armadactl configuration: it holds {_kind(document)}, not keys and values"
        )
    current = _text(document, "currentcontext", path)
    contexts = document.get("contexts")
    if contexts is None:
        if not any(key in document for key in _KNOWN_KEYS):
            raise SettingsError(f"{path} is not an armadactl configuration: it has neither contexts nor armadaUrl")
        return ArmadactlFile(path, "", {"": document})
    if not isinstance(contexts, dict) or not all(isinstance(value, dict) for value in contexts.values()):
        raise SettingsError(f"{path}: contexts must be a mapping of names to connection details")
    return ArmadactlFile(path, current, contexts)


_KNOWN_KEYS = (
    "armadaurl",
    "basicauth",
    "kubernetesnativeauth",
    "openidauth",
    "openiddeviceauth",
    "openidpasswordauth",
    "openidclientcredentialsauth",
    "openidkubernetesauth",
    "execauth",
    "forcenotls",
)


def _kind(value: Any) -> str:
    return "nothing" if value is None else "a list" if isinstance(value, list) else "a plain value"


def _text(details: Mapping[str, Any], key: str, where: str) -> str:
    value = details.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SettingsError(f"{where}: {key} must be text")
    return value


def _flag(details: Mapping[str, Any], key: str, where: str) -> bool:
    value = details.get(key, False)
    text = str(value).lower()
    if text not in ("true", "false", "none"):
        raise SettingsError(f"{where}: {key} must be true or false")
    return text == "true"


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: Any, where: str) -> float | None:
    """Read a Go duration such as "30s" or "1m30s"; a bare number is nanoseconds there."""
    import re

    if value is None:
        return None
    if re.fullmatch(r"\d{1,18}", str(value)):
        return int(value) / 1e9
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)", str(value))
    if not parts or "".join(number + unit for number, unit in parts) != str(value):
        raise SettingsError(f"{where}: grpcKeepAliveTime must be a duration such as 30s, not {str(value)[:40]!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
