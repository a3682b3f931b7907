"""``airflow-armada login``."""

from __future__ import annotations

import sys
import time
import webbrowser
from argparse import Namespace

from airflow_armada.cli.output import OK, Output, UsageError
from airflow_armada.cli.site import settings_from
from airflow_armada.client.auth.oidc import OidcClient, OidcLogin, cache_key
from airflow_armada.client.auth.oidc_login import DevicePrompt, browser_login, device_login
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import SettingsError


def login(arguments: Namespace, output: Output) -> int:
    """Log in and keep the tokens."""
    credentials = _credentials(arguments)
    if arguments.flow == "browser":
        token = browser_login(credentials.client, _open, port=arguments.port)
    else:
        token = device_login(credentials.client, _show)
    with credentials.cache.locked():
        credentials.cache.write(cache_key(credentials.client), token)
    _tell(credentials, token, output)
    return OK


def _credentials(arguments: Namespace) -> OidcLogin:
    if arguments.provider_url is None:
        credentials = settings_from(arguments).credentials
        if isinstance(credentials, OidcLogin):
            return credentials
        raise SettingsError("this site's connection does not log in at an OpenID provider: give --provider-url")
    if not arguments.client_id:
        raise UsageError("--provider-url needs --client-id")
    client = OidcClient(
        provider_url=arguments.provider_url,
        client_id=arguments.client_id,
        scopes=tuple(arguments.scope or ()),
        ca_file=arguments.ca_file,
    )
    return OidcLogin(client, TokenCache(arguments.token_cache))


def _tell(credentials: OidcLogin, token: Token, output: Output) -> None:
    expires = None if token.expires_at is None else max(0, round(token.expires_at - time.time()))
    value = {"file": str(credentials.cache.file), "expires_in": expires, "renewable": bool(token.refresh_token)}
    output.both(f"logged in; the login is kept in {credentials.cache.file}", value)
    if not token.refresh_token:
        when = "later" if expires is None else f"in {expires} s"
        output.line(f"it ends {when} and cannot be renewed; the scope offline_access may change that")


def _show(prompt: DevicePrompt) -> None:
    print(f"Open {prompt.address} and enter the code {prompt.code}", file=sys.stderr)
    if prompt.complete_address:
        print(f"or open {prompt.complete_address}", file=sys.stderr)
    sys.stderr.flush()


def _open(address: str) -> None:
    print(f"Log in at {address}", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        webbrowser.open(address)
