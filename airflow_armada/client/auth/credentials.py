"""What a client shows to Armada's authentication: small, hashable values that make an ``authorization`` header.

The kinds here need nothing but themselves, a variable or a file; those that ask somebody else for a token build on
``renewing``.
"""

from __future__ import annotations

import base64
import logging
import os
import time
from dataclasses import dataclass, field
from typing import ClassVar

from airflow_armada.client.auth.holds_secrets import HoldsSecrets
from airflow_armada.client.auth.tokens import jwt_expiry
from airflow_armada.client.failure import CredentialsError
from airflow_armada.client.small_file import read_file

logger = logging.getLogger(__name__)

LONGEST_FETCH = 30.0
"""s for which a call waits for its credentials; a file or a provider that hangs goes on in the background."""

EXPIRES_SOON = 600.0
"""s before the end of a pasted token from which its expiry is announced."""


class Credentials(HoldsSecrets):
    """A way to authenticate. Kinds are frozen dataclasses: equal credentials share what they have fetched.

    ``blocking`` tells whether ``authorization`` and ``refused`` may read files, run programs or use the network, so
    that asyncio code calls them on a thread of their own.
    """

    blocking: ClassVar[bool] = False

    def authorization(self) -> str:
        """Return the value of the ``authorization`` header, or "" to send none.

        :raises CredentialsError: when no usable credentials can be had
        """
        raise NotImplementedError

    def at_hand(self) -> str | None:
        """Return the header if that takes no waiting at all, else None.

        :raises CredentialsError: when no usable credentials can be had
        """
        return None if self.blocking else self.authorization()

    def longest_fetch(self) -> float:
        """Return how long to wait for ``authorization``, in s."""
        return LONGEST_FETCH

    def announce(self) -> None:
        """Say in the log, once, what will soon keep these credentials from working."""

    def refused(self, authorization: str) -> bool:
        """Take note that the server refused a header, and tell whether another attempt may fare better.

        :param authorization: the header that was refused
        :return: whether the next ``authorization()`` may differ from it
        """
        return False

    def note_refused(self, authorization: str) -> None:
        """Take note that the server refused a header, without reading or asking anything.

        :param authorization: the header that was refused
        """
        self.refused(authorization)


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
class TokenVariable(Credentials):
    """A token in an environment variable of the process that makes the call.

    :param variable: name of the variable
    """

    variable: str

    def authorization(self) -> str:
        return bearer(os.environ.get(self.variable, ""), f"the environment variable {self.variable}")

    def refused(self, authorization: str) -> bool:
        return self.authorization() != authorization


@dataclass(frozen=True)
class TokenFile(Credentials):
    """A token in a file that something else keeps fresh, such as a projected service-account token.

    The file is read for every call: that is cheap, and no change of it is ever missed.

    :param path: path of the file
    """

    blocking: ClassVar[bool] = True
    path: str

    def authorization(self) -> str:
        return bearer(read_secret(self.path, "token file"), f"the token in {self.path}", passing=True)

    def note_refused(self, authorization: str) -> None:
        """The file is read for the next call anyway."""

    def refused(self, authorization: str) -> bool:
        return self.authorization() != authorization


def bearer(token: str, what: str, *, passing: bool = False) -> str:
    """Make the header value of a bearer token.

    :param token: the token, with or without a leading ``Bearer`` and space around it
    :param what: what to call it in an error, which never shows the token itself
    :param passing: whether it may be filled in soon where it is empty
    :raises CredentialsError: when it is empty or cannot be part of a header
    """
    scheme, _, rest = token.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else token.strip()
    if not token:
        raise CredentialsError(f"{what} is empty", transient=passing)
    if not all("!" <= character <= "~" for character in token):
        raise CredentialsError(f"{what} holds characters that no token has (spaces, line breaks or binary data)")
    return f"Bearer {token}"


def read_secret(path: str, what: str) -> str:
    """Read a small text file that holds a secret.

    That it is missing may pass: something else writes it, and may replace it at this moment.

    :param path: path of the file
    :param what: what to call it in an error
    :raises CredentialsError: when it cannot be read or is not text
    """
    try:
        return read_file(path).decode("utf-8")
    except OSError as error:
        final = isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError)
        reason = error.strerror or error
        raise CredentialsError(f"cannot read the {what} {path}: {reason}", transient=not final) from None
    except ValueError:
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
