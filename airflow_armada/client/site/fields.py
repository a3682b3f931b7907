"""The fields of a connection that say how to authenticate, and the credentials they mean.

One table serves the connection form, connections given as URI or JSON, and the command line. Importing it is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.site.allowed_credentials import NOTHING, AllowedCredentials
from airflow_armada.client.site.field_values import FieldValues

if TYPE_CHECKING:
    from airflow_armada.client.auth.credentials import Credentials
    from airflow_armada.client.auth.oidc_client import OidcClient

AUTH = "auth"
_WORTH_MASKING = 8


@dataclass(frozen=True)
class Field:
    """
    A field of the connection form, kept in the connection's extra under its name.

    :param name: the key
    :param label: what the form calls it
    :param description: the form's help
    :param secret: whether the form hides what is typed
    """

    name: str
    label: str
    description: str
    secret: bool = False


FIELDS = (
    Field(
        AUTH,
        "Authentication",
        "The kind of credentials; empty: by the fields that are filled in. Basic needs user name and password, every "
        "other kind the fields that bear its name.",
    ),
    Field("token", "Bearer token", "Sent as it is; nothing renews it.", secret=True),
    Field(
        "token_file",
        "Bearer token file",
        "Path on workers and triggerers, read for every call. [armada] allowed_credentials must allow it.",
    ),
    Field(
        "token_variable",
        "Bearer token variable",
        "Variable of workers and triggerers. [armada] allowed_credentials must allow it.",
    ),
    Field(
        "token_command",
        "Token command",
        "Program that prints a bearer token. [armada] allowed_credentials must allow it.",
    ),
    Field("token_command_arguments", "Token command arguments", 'JSON list, such as ["--get-token"].'),
    Field("token_command_environment", "Token command environment", "JSON object of further variables.", secret=True),
    Field("oidc_provider_url", "OpenID provider", "Its issuer, such as https://login.example.com/realms/main."),
    Field("oidc_client_id", "OpenID client id", "As it is registered with the provider."),
    Field("oidc_client_secret", "OpenID client secret", "For client credentials; empty: the password.", secret=True),
    Field("oidc_scopes", "OpenID scopes", "Separated by spaces."),
    Field("oidc_parameters", "OpenID parameters", 'JSON object for token requests, such as {"audience": "armada"}.'),
    Field("oidc_ca_file", "OpenID CA file", "PEM file that signs the provider; empty: the system's."),
    Field("oidc_allow_http", "OpenID without TLS", "true sends secrets to a provider over unencrypted HTTP."),
    Field("oidc_token_cache", "OpenID login file", "Where `airflow-armada login` kept the login; empty: its default."),
    Field("kubernetes_service_account", "Service account", "For kubernetes; empty: the pod's mounted token."),
    Field("kubernetes_namespace", "Service account namespace", "For kubernetes; empty: the pod's."),
    Field(
        "armadactl",
        "armadactl file",
        "Path of an .armadactl.yaml to use instead. [armada] allowed_credentials must allow it.",
    ),
    Field("armadactl_context", "armadactl context", "Context of that file; empty: its current one."),
)


def credentials_from(values: FieldValues, allowed: AllowedCredentials = NOTHING) -> Credentials:
    """
    Make the one kind of credentials that a connection gives.

    :param values: the connection's fields
    :param allowed: what the connection may take from this machine
    :raises SettingsError: when the kind is not known, not allowed, incomplete or not clear; the text holds no secret
    """
    name = values.text(AUTH).lower().replace("-", "_") or _implied(values)
    if name not in KINDS:
        raise SettingsError(f"extra {AUTH!r} must be one of {', '.join(KINDS)}")
    allowed.check(name, values)
    try:
        return KINDS[name](values)
    except SettingsError:
        raise
    except ArmadaError as error:
        raise SettingsError(str(error)) from None


def secrets_of(value: object) -> list[str]:
    """
    Find what must be masked in logs: hidden texts, and the hidden values of hidden names.

    Arguments of a command are hidden from the repr, but not masked: a word such as "armada" among them would vanish
    from every log line, and whoever may look at processes sees them anyway.

    :param value: credentials
    """
    if not is_dataclass(value) or isinstance(value, type):
        return []
    found: list[str] = []
    for one in fields(value):
        content = getattr(value, one.name)
        if one.repr:
            found += secrets_of(content)
        elif isinstance(content, str):
            found.append(content)
        elif isinstance(content, tuple):
            found += [pair[1] for pair in content if isinstance(pair, tuple) and len(pair[1]) >= _WORTH_MASKING]
    return [text for text in found if text]


def _implied(values: FieldValues) -> str:
    simple = ("token", "token_file", "token_variable", "token_command")
    found = [f"extra {name!r}" for name in simple if values.text(name)]
    if values.text("oidc_provider_url"):
        raise SettingsError(f"extra {AUTH!r} must say how to use the OpenID provider, e.g. oidc_client_credentials")
    if values.login:
        found.append("a login")
    elif values.password:
        raise SettingsError("the connection has a password but no login; a bearer token goes into the extra 'token'")
    if len(found) > 1:
        raise SettingsError(f"the connection gives {' and '.join(found)}; only one kind of credentials can be used")
    if not found:
        return "none"
    return "basic" if values.login else next(name for name in simple if values.text(name))


def _none(_: FieldValues) -> Credentials:
    from airflow_armada.client.auth.credentials import Anonymous

    return Anonymous()


def _basic(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.credentials import Basic

    return Basic(values.login, values.password)


def _token(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.credentials import BearerToken

    return BearerToken(values.text("token") or values.password)


def _token_file(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.credentials import TokenFile

    return TokenFile(values.needed("token_file"))


def _token_variable(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.credentials import TokenVariable

    return TokenVariable(values.needed("token_variable"))


def _token_command(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.token_command import TokenCommand

    return TokenCommand(
        values.needed("token_command"),
        values.texts("token_command_arguments"),
        values.pairs("token_command_environment"),
    )


def _client(values: FieldValues, secret: str = "") -> OidcClient:
    from airflow_armada.client.auth.oidc_client import OidcClient

    return OidcClient(
        provider_url=values.needed("oidc_provider_url"),
        client_id=values.needed("oidc_client_id"),
        client_secret=secret,
        scopes=tuple(values.text("oidc_scopes").replace(",", " ").split()),
        parameters=values.pairs("oidc_parameters"),
        ca_file=values.text("oidc_ca_file"),
        allow_http=values.flag("oidc_allow_http"),
        use_proxy=values.flag("use_proxy", True),
    )


def _oidc_client_credentials(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.oidc import OidcClientCredentials

    secret = values.text("oidc_client_secret") or values.password
    if not secret:
        raise SettingsError("oidc_client_credentials needs the extra 'oidc_client_secret', or a password")
    return OidcClientCredentials(_client(values, secret))


def _oidc_password(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.oidc import OidcPassword

    if not values.login or not values.password:
        raise SettingsError("oidc_password needs a login and a password")
    return OidcPassword(_client(values, values.text("oidc_client_secret")), values.login, values.password)


def _oidc_login(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.oidc import OidcLogin
    from airflow_armada.client.auth.token_cache import TokenCache

    return OidcLogin(_client(values), TokenCache(values.text("oidc_token_cache")))


def _oidc_kubernetes(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.oidc import SERVICE_ACCOUNT_TOKEN, OidcKubernetes

    return OidcKubernetes(_client(values), values.text("token_file") or SERVICE_ACCOUNT_TOKEN)


def _kubernetes(values: FieldValues) -> Credentials:
    from airflow_armada.client.auth.kubernetes_native import KubernetesNative

    return KubernetesNative(
        service_account=values.text("kubernetes_service_account"), namespace=values.text("kubernetes_namespace")
    )


KINDS: Mapping[str, Callable[[FieldValues], Credentials]] = {
    "none": _none,
    "basic": _basic,
    "token": _token,
    "token_file": _token_file,
    "token_variable": _token_variable,
    "token_command": _token_command,
    "oidc_client_credentials": _oidc_client_credentials,
    "oidc_password": _oidc_password,
    "oidc_login": _oidc_login,
    "oidc_kubernetes": _oidc_kubernetes,
    "kubernetes": _kubernetes,
}
"""What the extra ``auth`` may say, and what makes the credentials."""
