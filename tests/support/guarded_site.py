"""A site with every kind of door at once, and for each kind a connection that opens it and one that does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_armada.client.auth.oidc import cache_key
from airflow_armada.client.auth.oidc_login import device_login
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.site.allowed_credentials import HOST_KINDS
from airflow_armada.standalone.auth import Credentials, Principal
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.oidc import CLIENT_SECRET, USER, OidcProvider, Person, oidc_provider
from tests.support.oidc import PASSWORD as PERSON_PASSWORD
from tests.support.token_exchange import token_exchange

PASSWORD = "CANARY-basic-password-0123456789"
TOKENS = {
    name: f"CANARY-{name}-token-0123456789" for name in ("pasted", "file", "variable", "command", "exchanged", "wrong")
}
SERVICE_ACCOUNT_TOKEN = "CANARY-service-account-0123456789"
WRONG = "CANARY-wrong-password-0123456789"
PARAMETER_SECRET = "CANARY-oidc-parameter-0123456789"
COMMAND_SECRET = "CANARY-command-environment-0123456789"
VARIABLE = "GUARDED_SITE_TOKEN"
MISPLACED = "CANARY-where-no-secret-belongs-0123456789"
MISPLACED_IN = {
    "host": f"ada:{MISPLACED}@armada.example.com",
    "binoculars": f"ada:{MISPLACED}@logs.example.com:443",
    "lookout_url": f"https://ada:{MISPLACED}@lookout.example.com",
    "oidc_provider_url": f"https://ada:{MISPLACED}@login.example.com",
    "token": f"{MISPLACED} with spaces",
    "tls": MISPLACED,
    "call_timeout": MISPLACED,
    "auth": MISPLACED,
    "binoculars_by_cluster": MISPLACED,
}
"""Secrets in fields where none belongs, of which errors tell the field only."""
ALLOWED = {
    "AIRFLOW__ARMADA__ALLOWED_CREDENTIALS": ", ".join(HOST_KINDS),
    "AIRFLOW__ARMADA__ALLOWED_CREDENTIAL_FILES": "*",
    "AIRFLOW__ARMADA__ALLOWED_CREDENTIAL_VARIABLES": "*",
    "AIRFLOW__ARMADA__ALLOWED_CREDENTIAL_COMMANDS": "* *",
}
"""Airflow's configuration that lets connections use what is on the machine."""


@dataclass
class GuardedSite:
    """
    What :func:`guarded_site` sets up.

    :param server: the Armada
    :param good: the extras of a connection, with login and password, by kind of credentials
    :param bad: the same with wrong secrets
    :param planted: all secrets that exist from the beginning
    :param shown: access tokens that the server was shown
    """

    server: StandaloneArmada
    good: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    bad: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    planted: set[str] = field(default_factory=set, repr=False)
    shown: set[str] = field(default_factory=set, repr=False)

    @property
    def secrets(self) -> set[str]:
        """Everything that must not be written anywhere; of JWTs their signature, which is the secret of them."""
        return self.planted | {token.rpartition(".")[2] for token in self.shown}

    def connection(self, values: dict[str, Any]) -> str:
        """Return an Airflow connection in its JSON form."""
        host, _, port = self.server.target.rpartition(":")
        extra = {"tls": False, "allow_plaintext_credentials": True, "binoculars": self.server.target, **values}
        login = {name: extra.pop(name) for name in ("login", "password") if name in extra}
        return json.dumps({"conn_type": "armada", "host": host, "port": int(port), **login, "extra": extra})

    def uri(self, values: dict[str, Any]) -> str:
        """Return the same connection as a URI."""
        from urllib.parse import quote, urlencode

        login = f"{values['login']}:{quote(values['password'], safe='')}@" if "login" in values else ""
        extra = {"binoculars": self.server.target, "allow_plaintext_credentials": "true", **values}
        query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in extra.items()}
        query = {name: value for name, value in query.items() if name not in ("login", "password")}
        return f"grpc://{login}{self.server.target}?{urlencode(query)}"


@contextmanager
def guarded_site(folder: Path, token_lifetime: int = 60) -> Iterator[GuardedSite]:
    """
    Run a site.

    :param folder: for files that hold secrets
    :param token_lifetime: s, of the tokens of its OpenID provider
    """
    with ExitStack() as stack:
        provider = stack.enter_context(oidc_provider(tokenLifetime=token_lifetime))
        exchange = stack.enter_context(token_exchange({SERVICE_ACCOUNT_TOKEN}, lambda: TOKENS["exchanged"]))
        shown: set[str] = set()

        def verify(token: str) -> Principal | None:
            shown.add(token)
            return provider.verify(token)

        users = {token: "bob" for name, token in TOKENS.items() if name != "wrong"}
        guard = Credentials(users={"ada": PASSWORD}, tokens=users, verify_token=verify)
        server = stack.enter_context(StandaloneArmada(cpus=4, memory="4Gi", credentials=guard))
        server.create_queue("research")
        site = GuardedSite(server, shown=shown)
        _plant(site, provider, exchange.url, folder)
        yield site


def _plant(site: GuardedSite, provider: OidcProvider, exchange: str, folder: Path) -> None:
    for name in ("file", "command", "wrong"):
        (folder / name).write_text(TOKENS[name])
    (folder / "service-account").write_text(SERVICE_ACCOUNT_TOKEN)
    site.good = {
        "basic": {"login": "ada", "password": PASSWORD},
        "token": {"token": TOKENS["pasted"]},
        "token_file": {"token_file": str(folder / "file")},
        "token_variable": {"token_variable": VARIABLE},
        "token_command": _command(folder / "command"),
        **_oidc(provider.issuer),
        "oidc_login": _login(provider, folder / "login.json"),
        "oidc_kubernetes": {
            **_registered("oidc_kubernetes", exchange),
            "token_file": str(folder / "service-account"),
        },
    }
    site.bad = {
        "basic": {"login": "ada", "password": WRONG},
        "token": {"token": TOKENS["wrong"]},
        "token_file": {"token_file": str(folder / "wrong")},
        "token_command": _command(folder / "wrong"),
        "oidc_client_credentials": {
            **site.good["oidc_client_credentials"],
            "oidc_client_secret": "CANARY-wrong-secret",
        },
        "oidc_password": {**site.good["oidc_password"], "password": WRONG},
        "oidc_login": {**site.good["oidc_login"], "oidc_token_cache": str(folder / "no-login.json")},
        "oidc_kubernetes": {**site.good["oidc_kubernetes"], "token_file": str(folder / "wrong")},
    }
    login = TokenCache(str(folder / "login.json")).read(cache_key(provider.client("person")))
    assert login is not None
    site.shown.add(login.access_token)
    site.planted = {
        *(PASSWORD, SERVICE_ACCOUNT_TOKEN, COMMAND_SECRET, CLIENT_SECRET, PERSON_PASSWORD, login.refresh_token),
        *(WRONG, PARAMETER_SECRET, MISPLACED),
        *TOKENS.values(),
    }


def _command(file: Path) -> dict[str, Any]:
    return {
        "token_command": sys.executable,
        "token_command_arguments": [
            "-c",
            f"import sys; text = open({str(file)!r}).read(); print(text); print(text, file=sys.stderr)",
        ],
        "token_command_environment": {"SECRET_OF_THE_COMMAND": COMMAND_SECRET},
    }


def _registered(kind: str, url: str, client_id: str = "machine") -> dict[str, Any]:
    return {"auth": kind, "oidc_provider_url": url, "oidc_client_id": client_id}


def _oidc(url: str) -> dict[str, dict[str, Any]]:
    return {
        "oidc_client_credentials": {
            **_registered("oidc_client_credentials", url),
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_scopes": "jobs",
            "oidc_parameters": {"note": PARAMETER_SECRET},
        },
        "oidc_password": {
            **_registered("oidc_password", url, "person"),
            "login": USER,
            "password": PERSON_PASSWORD,
            "oidc_scopes": "jobs",
        },
    }


def _login(provider: OidcProvider, file: Path) -> dict[str, Any]:
    client, cache = provider.client("person"), TokenCache(str(file))
    token = device_login(client, lambda prompt: Person().visit(prompt.complete_address) and None, sleep=lambda _: None)
    cache.write(cache_key(client), token)
    return {
        **_registered("oidc_login", provider.issuer, "person"),
        "oidc_scopes": " ".join(client.scopes),
        "oidc_token_cache": str(file),
    }
