"""A real OpenID provider (npm's oidc-provider, see oidc_provider/) for tests, and a person who logs in there."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener, urlopen

import jwt

from airflow_armada.client.auth.oidc_client import OidcClient
from airflow_armada.standalone.auth import Principal
from tests.support.tools import needed

SOURCE = Path(__file__).parent / "oidc_provider"
CLIENT_SECRET = "CANARY-client-secret-0123456789"
USER, PASSWORD = "ada", "CANARY-person-password-0123456789"


def installed() -> Path:
    """
    Install the provider's npm package once, from its lock file.

    :return: the folder to run it from
    """
    folder = Path(os.environ.get("OIDC_PROVIDER_HOME") or SOURCE.parents[2] / ".cache" / "oidc-provider")
    npm = needed("npm", "nodejs npm")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (SOURCE / "package-lock.json").read_text()
        done = folder / "installed.json"
        if not done.exists() or done.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, folder / name)
            command = [npm, "ci", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=folder, check=True, timeout=300, stdin=subprocess.DEVNULL)
            done.write_text(wanted)
        shutil.copy(SOURCE / "server.mjs", folder / "server.mjs")
    return folder


@dataclass
class OidcProvider:
    """A running provider."""

    issuer: str

    def client(self, client_id: str = "machine", **options: Any) -> OidcClient:
        """Return one of its registered clients."""
        secret = CLIENT_SECRET if client_id.startswith("machine") else ""
        scopes = ("jobs",) if secret else ("offline_access", "jobs")
        values = {"client_secret": secret, "scopes": scopes, **options}
        return OidcClient(provider_url=self.issuer, client_id=client_id, **values)

    def rotate_keys(self) -> None:
        """Sign with another key from now on."""
        urlopen(f"{self.issuer}/test/rotate-keys", data=b"", timeout=10).close()

    def grants(self) -> dict[str, int]:
        """Count the tokens that were granted, by grant type."""
        with urlopen(f"{self.issuer}/test/grants", timeout=10) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def verify(self, token: str) -> Principal | None:
        """Check a token as an Armada server does: signature, issuer, audience and expiry."""
        keys = jwt.PyJWKClient(f"{self.issuer}/jwks", cache_keys=False)
        try:
            key = keys.get_signing_key_from_jwt(token).key
            claims = jwt.decode(token, key, algorithms=["RS256"], audience="armada", issuer=self.issuer)
        except jwt.PyJWTError:
            return None
        return Principal(claims["sub"], frozenset({"everyone"}))


@contextmanager
def oidc_provider(**options: Any) -> Iterator[OidcProvider]:
    """
    Run a provider.

    :param options: see server.mjs, such as ``tokenLifetime`` in s
    """
    command = ["node", "server.mjs", json.dumps(options)]
    process = subprocess.Popen(
        command, cwd=installed(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield OidcProvider(json.loads(process.stdout.readline())["issuer"])
    finally:
        process.kill()
        process.communicate()


class Person:
    """Somebody with a browser, who fills in every form until there is none."""

    def __init__(self, *, refuses: bool = False) -> None:
        # The cookies are for 127.0.0.1, which the default policy takes for a foreign domain of itself.
        jar = CookieJar(DefaultCookiePolicy(strict_domain=False))
        self._opener = build_opener(HTTPCookieProcessor(jar), ProxyHandler({}))
        self._refuses = refuses

    def visit(self, address: str) -> str:
        """
        Open an address and do what it asks.

        :return: the last page
        """
        page, address = self._open(address)
        for _ in range(10):
            form = re.search(r"<form([^>]*)>(.*?)</form>", page, re.DOTALL)
            if not form:
                return page
            if self._refuses and (abort := re.search(r'href="([^"]*/abort)"', page)):
                return self._open(urljoin(address, html.unescape(abort[1])))[0]
            action = re.search(r'action="([^"]*)"', form[1])
            target = urljoin(address, html.unescape(action[1])) if action else address
            page, address = self._open(target, self._filled(page, form))
        raise AssertionError(f"there is no end of forms: {page[:500]}")

    def _filled(self, page: str, form: re.Match[str]) -> dict[str, str]:
        identity = re.search(r'id="([^"]*)"', form[1])
        scope = page if identity else form[2]
        fields = {}
        for tag in re.findall(r"<input[^>]*>", scope):
            attributes = {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
            if "name" in attributes:
                fields[attributes["name"]] = attributes.get("value", "")
        return {
            **fields,
            **{name: value for name, value in (("login", USER), ("password", PASSWORD)) if name in fields},
        }

    def _open(self, address: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        data = None if form is None else urlencode(form).encode()
        with self._opener.open(address, data, timeout=10) as answer:
            return answer.read().decode(), answer.url
