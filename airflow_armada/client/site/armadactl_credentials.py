"""
The credentials of one context of ``.armadactl.yaml``.

The kinds are tried in the order of armadactl's ``perRpcCredentials`` (``pkg/client/connection.go``); the first that is
filled in wins. Its browser and device logins need a person, so here they mean the login that ``airflow-armada login``
keeps. Imports neither grpc nor Airflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_armada.client.auth.credentials import Anonymous, Basic, Credentials
from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.auth.oidc import OidcClient, OidcClientCredentials, OidcKubernetes, OidcLogin, OidcPassword
from airflow_armada.client.auth.token_command import TokenCommand
from airflow_armada.client.failure import ArmadaError, SettingsError


class _Section:
    """One section of a context, with errors that say where it is."""

    def __init__(self, details: Mapping[str, Any], key: str, where: str) -> None:
        self.where = f"{where}: {key}"
        values = details.get(key.lower())
        if values is not None and not isinstance(values, dict):
            raise SettingsError(f"{self.where} must hold keys and values")
        self._values: dict[str, Any] = values or {}

    def text(self, key: str) -> str:
        value = self._values.get(key.lower())
        if value is None:
            return ""
        if isinstance(value, (dict, list)):
            raise SettingsError(f"{self.where}.{key} must be text")
        return str(value)

    def needed(self, key: str) -> str:
        value = self.text(key)
        if not value:
            raise SettingsError(f"{self.where}.{key} is missing")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key.lower())
        if value is None:
            return ()
        if not isinstance(value, list) or any(isinstance(item, (dict, list)) or item is None for item in value):
            raise SettingsError(f"{self.where}.{key} must be a list of texts")
        return tuple(map(str, value))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        value = self._values.get(key.lower()) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) and item.get("name") for item in value):
            raise SettingsError(f"{self.where}.{key} must be a list of name and value")
        return tuple((str(item["name"]), str(item.get("value", ""))) for item in value)


def credentials_of(details: Mapping[str, Any], where: str) -> Credentials:
    """
    Choose the credentials of a context.

    :param details: the context, with keys in lower case
    :param where: what errors call it
    :raises SettingsError: when what wins is incomplete
    """
    for key, filled_in, make in _KINDS:
        section = _Section(details, key, where)
        if section.text(filled_in).lower() not in ("", "false"):
            try:
                return make(section)
            except SettingsError:
                raise
            except ArmadaError as error:
                raise SettingsError(f"{section.where}: {error}") from None
    return Anonymous()


def _client(section: _Section, secret: str = "") -> OidcClient:
    return OidcClient(
        provider_url=section.needed("providerUrl"),
        client_id=section.needed("clientId"),
        client_secret=secret,
        scopes=section.texts("scopes"),
    )


def _basic(section: _Section) -> Credentials:
    return Basic(section.needed("username"), section.text("password"))


def _login(section: _Section) -> Credentials:
    return OidcLogin(_client(section))


def _password(section: _Section) -> Credentials:
    return OidcPassword(_client(section), section.needed("username"), section.needed("password"))


def _client_credentials(section: _Section) -> Credentials:
    return OidcClientCredentials(_client(section, section.needed("clientSecret")))


def _openid_kubernetes(section: _Section) -> Credentials:
    return OidcKubernetes(_client(section))


def _kubernetes_native(section: _Section) -> Credentials:
    expiry = section.text("expiry")
    if expiry and not (expiry.isascii() and expiry.isdigit() and len(expiry) < 10):
        raise SettingsError(f"{section.where}.expiry must be a number of seconds")
    return KubernetesNative(expiry=int(expiry)) if expiry else KubernetesNative()


def _exec(section: _Section) -> Credentials:
    return TokenCommand(
        program=section.needed("cmd"),
        arguments=section.texts("args"),
        environment=section.pairs("env"),
        interactive=section.text("interactive").lower() == "true",
    )


_KINDS: tuple[tuple[str, str, Callable[[_Section], Credentials]], ...] = (
    ("basicAuth", "username", _basic),
    ("kubernetesNativeAuth", "enabled", _kubernetes_native),
    ("openIdAuth", "providerUrl", _login),
    ("openIdDeviceAuth", "providerUrl", _login),
    ("openIdPasswordAuth", "providerUrl", _password),
    ("openIdClientCredentialsAuth", "providerUrl", _client_credentials),
    ("openIdKubernetesAuth", "providerUrl", _openid_kubernetes),
    ("execAuth", "cmd", _exec),
)
