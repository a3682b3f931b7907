"""What a client shows to Armada's authentication: small, hashable values that make an ``authorization`` header.

The kinds here need nothing but themselves or a file; those that ask somebody else for a token are in ``token_sources``.
"""

from __future__ import annotations

import base64
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NoReturn, SupportsIndex

from airflow_armada.client.auth.tokens import jwt_expiry
from airflow_armada.client.failure import CredentialsError

logger = logging.getLogger(__name__)

EXPIRES_SOON = 600.0
"""s before the end of a pasted token from which its expiry is announced."""


class Credentials:
    """A way to authenticate. Kinds are frozen dataclasses: equal credentials share what they have fetched.

    They are never pickled, because nobody could tell where the secrets in them would end up.

    ``blocking`` tells whether ``authorization`` may read files, run programs or use the network, so that asyncio
    code calls it in a thread.
    """

    blocking: ClassVar[bool] = False

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it may hold secrets")

    def serialize(self) -> NoReturn:
        """Refuse to become an XCom, which Airflow asks for by this name."""
        raise TypeError(f"{type(self).__name__} is not stored: it may hold secrets")

    def __deepcopy__(self, memo: object) -> Credentials:
        return self

    def authorization(self) -> str:
        """Return the value of the ``authorization`` header, or "" to send none.

        :raises CredentialsError: when no usable credentials can be had
        """
        raise NotImplementedError

    def announce(self) -> None:
        """Say in the log, once, what will soon keep these credentials from working."""

    def refused(self, authorization: str) -> bool:
        """Take note that the server refused a header, and tell whether another attempt may fare better.

        :param authorization: the header that was refused
        :return: whether the next ``authorization()`` may differ from it
        """
        return False


@dataclass(frozen=True)
class Anonymous(Credentials):
    """No credentials: for sites that admit anybody."""

    def authorization(self) -> str:
        return ""


@dataclass(frozen=True)
class Basic(Credentials):
    """User name and password.

    :param username: the user; a colon cannot be part of it
    :param password: the password, never shown
    :raises CredentialsError: when the user name is empty or holds a colon
    """

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.username or ":" in self.username:
            raise CredentialsError("basic credentials need a user name, and it cannot hold a colon")

    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True)
class BearerToken(Credentials):
    """A token as it stands. Nothing can renew it, so a JWT's expiry is announced in the log, before and after it.

    :param token: the token, never shown; a leading ``Bearer`` is dropped
    :raises CredentialsError: when it is empty or cannot be part of a header
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        bearer(self.token, "the bearer token")

    def authorization(self) -> str:
        header = bearer(self.token, "the bearer token")
        _announce_expiry(header)
        return header

    def announce(self) -> None:
        self.authorization()


@dataclass(frozen=True)
class TokenFile(Credentials):
    """A token in a file that something else keeps fresh, such as a projected service-account token.

    The file is read for every call: that is cheap, and no change of it is ever missed.

    :param path: path of the file
    """

    blocking: ClassVar[bool] = True
    path: str

    def authorization(self) -> str:
        return bearer(read_secret(self.path, "token file"), f"the token in {self.path}")

    def refused(self, authorization: str) -> bool:
        return self.authorization() != authorization


def bearer(token: str, what: str) -> str:
    """Make the header value of a bearer token.

    :param token: the token, with or without a leading ``Bearer`` and space around it
    :param what: what to call it in an error, which never shows the token itself
    :raises CredentialsError: when it is empty or cannot be part of a header
    """
    scheme, _, rest = token.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else token.strip()
    if not token:
        raise CredentialsError(f"{what} is empty")
    if not all("!" <= character <= "~" for character in token):
        raise CredentialsError(f"{what} holds characters that no token has (spaces, line breaks or binary data)")
    return f"Bearer {token}"


def read_secret(path: str, what: str) -> str:
    """Read a small text file that holds a secret.

    :param path: path of the file
    :param what: what to call it in an error
    :raises CredentialsError: when it cannot be read or is not text
    """
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise CredentialsError(f"cannot read the {what} {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, ValueError):
        raise CredentialsError(f"the {what} {path} is not text") from None


_announced: set[tuple[int, bool]] = set()
_MOST_ANNOUNCED = 1000


def _announce_expiry(header: str) -> None:
    expiry = jwt_expiry(header.removeprefix("Bearer "))
    if expiry is None or expiry - time.time() > EXPIRES_SOON:
        return
    expired = expiry <= time.time()
    if (hash(header), expired) in _announced:
        return
    if len(_announced) >= _MOST_ANNOUNCED:
        _announced.clear()
    _announced.add((hash(header), expired))
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expiry))
    logger.warning("The bearer token %s at %s; replace it", "expired" if expired else "will expire", moment)
