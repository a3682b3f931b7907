"""Tokens that are fetched from somewhere and renewed before they expire: what all such credentials share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from airflow_armada.client.auth.credentials import Credentials, bearer
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import CredentialsError

PAUSE_AFTER_FAILURE = 5.0
"""s in which a source that has just failed is not asked again, however many calls want a token."""


class TokenSource:
    """The current token of one set of credentials, for all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: CredentialsError | None = None
        self._failed_at = 0.0

    def current(self, fetch: Callable[[], Token]) -> str:
        """Return the current token, a new one when it is due. The old one serves on where a new one cannot be had.

        :param fetch: fetches a new one
        :raises CredentialsError: when there is none that is still good
        """
        with self._lock:
            if self._token is None or self._token.due():
                self._renew(fetch)
            if self._token is None or (self._token.expired() and self._failure is not None):
                assert self._failure is not None
                raise CredentialsError(str(self._failure), transient=self._failure.transient)
            return self._token.access_token

    def _renew(self, fetch: Callable[[], Token]) -> None:
        if self._failure is not None and time.monotonic() - self._failed_at < PAUSE_AFTER_FAILURE:
            return
        try:
            self._token, self._failure = fetch(), None
        except CredentialsError as error:
            self._failure, self._failed_at = error, time.monotonic()

    def drop(self, token: str) -> bool:
        """Forget a token that the server refused; one that has taken its place meanwhile stays.

        :return: whether the next token may differ from it
        """
        with self._lock:
            if self._token is not None and self._token.access_token == token:
                self._token = replace(self._token, expires_at=0.0)
            return self._token is not None


_sources: dict[Credentials, TokenSource] = {}
_sources_lock = threading.Lock()


class RenewedCredentials(Credentials):
    """
    Credentials with one current token per process; equal credentials share it.

    Kinds say how to fetch one, and how to show it unless it is a bearer token.
    """

    blocking: ClassVar[bool] = True

    def authorization(self) -> str:
        return bearer(self.token(), "the token that was fetched")

    def refused(self, authorization: str) -> bool:
        return self.drop(authorization.removeprefix("Bearer "))

    def token(self) -> str:
        """Return the current token.

        :raises CredentialsError: when none can be had
        """
        return self._source().current(self.fetch)

    def drop(self, token: str) -> bool:
        """Forget a token that the server refused; see :meth:`TokenSource.drop`."""
        return self._source().drop(token)

    def fetch(self) -> Token:
        """Fetch a new token.

        :raises CredentialsError: when none can be had
        """
        raise NotImplementedError

    def _source(self) -> TokenSource:
        with _sources_lock:
            return _sources.setdefault(self, TokenSource())
