"""The file in which `airflow-armada login` leaves tokens for later calls. Imports neither grpc nor Airflow."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow_armada.api.state_folder import state_folder
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import CredentialsError
from airflow_armada.client.small_file import LARGEST, open_regular

LONGEST_WAIT = 20.0
"""s for which another process may hold the lock: two requests to a provider, each with its own deadline."""


class TokenCacheError(CredentialsError):
    """The token cache cannot be read or written; the text says why and what to do."""


def default_cache_path() -> str:
    """:return: ``$ARMADA_TOKEN_CACHE``, else airflow-armada/tokens.json in the user's state directory (XDG)"""
    chosen = os.environ.get("ARMADA_TOKEN_CACHE")
    if chosen:
        return chosen
    return str(state_folder() / "tokens.json")


@dataclass(frozen=True)
class TokenCache:
    """
    Tokens by key in a JSON file that only its owner can read (mode 0600).

    :param path: "" = :func:`default_cache_path`.
    """

    path: str = ""

    @property
    def file(self) -> Path:
        return Path(self.path or default_cache_path()).expanduser()

    def read(self, key: str) -> Token | None:
        """
        :raises TokenCacheError: if the file is unreadable, damaged, or readable by others.
        """
        entry = self._entries().get(key)
        if not isinstance(entry, dict):
            return None
        try:
            return _token(entry)
        except (KeyError, TypeError, ValueError):
            raise TokenCacheError(f"the token cache {self.file} holds a damaged entry: log in again") from None

    def write(self, key: str, token: Token | None) -> None:
        """
        Keep a token, or forget it when it is None; readers see the old file or the new one, never half of one.

        :raises TokenCacheError: if the file cannot be written.
        """
        entries = self._entries()
        entries.pop(key, None)
        if token is not None:
            entries[key] = asdict(token)
        try:
            self._replace(json.dumps(entries, indent=1))
        except OSError as error:
            raise TokenCacheError(f"cannot write the token cache {self.file}: {error.strerror}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep other processes from renewing the same token: rotated refresh tokens are taken only once.

        :raises TokenCacheError: if it cannot be locked, or another process holds the lock for too long
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = open_regular(f"{self.file}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        except OSError as error:
            raise TokenCacheError(f"cannot lock the token cache {self.file}: {error.strerror}") from None
        try:
            self._check_owner(descriptor, "lock of the token cache")
            self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        import fcntl

        deadline, pause = time.monotonic() + LONGEST_WAIT, 0.01
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    text = f"another process has held the lock of the token cache {self.file} for {LONGEST_WAIT:g} s"
                    raise TokenCacheError(f"{text}; end it if it is stopped", transient=True) from None
            except OSError as error:
                raise TokenCacheError(f"cannot lock the token cache {self.file}: {error.strerror}") from None
            time.sleep(pause)
            pause = min(2 * pause, 0.25)

    def _check_owner(self, descriptor: int, what: str) -> None:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise TokenCacheError(f"the {what} {self.file} belongs to another user: remove it, or choose another file")

    def _entries(self) -> dict[str, Any]:
        try:
            with open(open_regular(str(self.file), os.O_RDONLY), encoding="utf-8") as file:
                self._check_owner(file.fileno(), "token cache")
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise TokenCacheError(
                        f"the token cache {self.file} is open to others (mode {mode:04o}): chmod 600 it"
                    )
                entries = json.loads(file.read(LARGEST))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TokenCacheError(f"cannot read the token cache {self.file}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise TokenCacheError(f"the token cache {self.file} is damaged: delete it and log in again") from None
        if not isinstance(entries, dict):
            raise TokenCacheError(f"the token cache {self.file} is damaged: delete it and log in again")
        return entries

    def _replace(self, text: str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=".tokens-")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, self.file)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _token(entry: dict[str, Any]) -> Token:
    access_token, refresh_token, expires_at = (
        entry["access_token"],
        entry.get("refresh_token", ""),
        entry.get("expires_at"),
    )
    if not isinstance(access_token, str) or not isinstance(refresh_token, str):
        raise TypeError("tokens are text")
    return Token(
        access_token,
        refresh_token,
        float(entry.get("obtained_at", 0)),
        None if expires_at is None else float(expires_at),
    )
