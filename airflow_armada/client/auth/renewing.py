"""Tokens that are fetched from somewhere and renewed before they expire: what all such credentials share."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from airflow_armada.client.auth import own_thread
from airflow_armada.client.auth.credentials import LONGEST_FETCH, Credentials, bearer
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import ArmadaError, CredentialsError

PAUSE_AFTER_FAILURE = 5.0
"""s in which a source that has just failed is not asked again, however many calls want a token."""


class TokenSource:
    """
    The current token of one set of credentials, for all threads of the process.

    A token that is still good serves on while a new one is fetched in the background.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: CredentialsError | None = None
        self._failed_at = 0.0
        self._running: concurrent.futures.Future[None] | None = None

    def at_hand(self, fetch: Callable[[], Token]) -> str | None:
        """
        Return a token that is still good, without waiting; a new one is fetched when it is due.

        :param fetch: fetches a new one
        """
        with self._lock:
            token = self._token
            self._renew(fetch)
        return None if token is None or token.expired() else token.access_token

    def current(self, fetch: Callable[[], Token], timeout: float = LONGEST_FETCH) -> str:
        """
        Return a token that is still good, a new one where there is none.

        :param fetch: fetches a new one
        :param timeout: s to wait for it
        :raises CredentialsError: when none can be had
        """
        token = self.at_hand(fetch)
        if token is not None:
            return token
        with self._lock:
            running = self._renew(fetch)
        if running is not None:
            try:
                running.result(timeout)
            except concurrent.futures.TimeoutError:
                raise own_thread.late(timeout) from None
        with self._lock:
            if self._token is not None and self._failure is None:
                return self._token.access_token
            failure = self._failure or CredentialsError("the source of tokens gave none", transient=True)
        raise CredentialsError(str(failure), transient=failure.transient)

    def drop(self, token: str) -> bool:
        """
        Forget a token that the server refused; one that has taken its place meanwhile stays.

        :return: whether the next token may differ from it
        """
        with self._lock:
            if self._token is not None and self._token.access_token == token:
                self._token = replace(self._token, expires_at=0.0)
            return self._token is not None

    def _renew(self, fetch: Callable[[], Token]) -> concurrent.futures.Future[None] | None:
        """Begin to fetch a token if one is due, and return what is under way."""
        if self._running is None and self._due():
            self._running = own_thread.start(object(), lambda: self._fetch(fetch))
            trouble = self._running.exception() if self._running.done() else None
            if isinstance(trouble, CredentialsError):
                self._running, self._failure, self._failed_at = None, trouble, time.monotonic()
        return self._running

    def _due(self) -> bool:
        if self._failure is not None and time.monotonic() - self._failed_at < PAUSE_AFTER_FAILURE:
            return False
        return self._token is None or self._token.due()

    def _fetch(self, fetch: Callable[[], Token]) -> None:
        token, failure = None, None
        try:
            token = fetch()
            for told in _told:
                told(token.access_token)
        except Exception as error:
            failure = _as_failure(error)
        with self._lock:
            # In one step, so that nobody waits for a fetch that ended before they asked.
            self._running, self._failure, self._failed_at = None, failure, time.monotonic()
            self._token = token or self._token


_told: list[Callable[[str], object]] = []


def tell_fetched_tokens(told: Callable[[str], object]) -> None:
    """
    Have each token told before it is used, so that it can be kept out of logs.

    :param told: gets the token, on the thread that fetched it; it must not raise
    """
    if told not in _told:
        _told.append(told)


def _as_failure(error: Exception) -> CredentialsError:
    if isinstance(error, CredentialsError):
        return error
    if isinstance(error, ArmadaError):
        return CredentialsError(str(error), transient=error.transient)
    # Its text may hold a secret.
    return CredentialsError(f"no token could be fetched: {type(error).__name__}")


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

    def at_hand(self) -> str | None:
        token = self._source().at_hand(self.fetch)
        return None if token is None else bearer(token, "the token that was fetched")

    def refused(self, authorization: str) -> bool:
        return self.drop(authorization.removeprefix("Bearer "))

    def token(self) -> str:
        """
        Return the current token.

        :raises CredentialsError: when none can be had
        """
        return self._source().current(self.fetch, self.longest_fetch())

    def drop(self, token: str) -> bool:
        """Forget a token that the server refused; see :meth:`TokenSource.drop`."""
        return self._source().drop(token)

    def fetch(self) -> Token:
        """
        Fetch a new token.

        :raises CredentialsError: when none can be had
        """
        raise NotImplementedError

    def _source(self) -> TokenSource:
        with _sources_lock:
            return _sources.setdefault(self, TokenSource())


def _after_fork() -> None:
    """What threads of the parent were fetching never comes; its tokens are fetched anew."""
    _sources_lock.release()
    _sources.clear()


os.register_at_fork(before=_sources_lock.acquire, after_in_parent=_sources_lock.release, after_in_child=_after_fork)
