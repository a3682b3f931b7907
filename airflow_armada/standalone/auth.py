"""Who calls, and what they may do: basic and bearer credentials, global permissions, permissions on queues.

Source of the schemes and of the order in which they are tried: ``internal/common/auth`` of Armada v0.22.7.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import grpc

from airflow_armada.standalone import clock
from airflow_armada.standalone.api_error import ApiError

EVERYONE = "everyone"
ANONYMOUS = "anonymous"
ALL_PERMISSIONS = frozenset(
    {
        "submit_any_jobs",
        "cancel_any_jobs",
        "preempt_any_jobs",
        "reprioritize_any_jobs",
        "watch_all_events",
        "create_queue",
        "delete_queue",
        "cordon_queue",
        "cordon_nodes",
        "update_executor_settings",
        "create_retry_policy",
        "update_retry_policy",
        "delete_retry_policy",
    }
)


@dataclass(frozen=True)
class Principal:
    """A caller.

    :param groups: the groups that the caller belongs to; everyone belongs to ``everyone``
    """

    name: str
    groups: frozenset[str] = frozenset({EVERYONE})


@dataclass(frozen=True)
class Credentials:
    """Whom the server lets in, and what they may do.

    :param users: passwords by user name, for basic authentication
    :param tokens: user names by bearer token
    :param groups: a user's groups by user name
    :param permissions: global permissions by user or group name; by default everyone may do everything
    :param anonymous: whether callers without credentials get in too; by default if there are no users and no tokens
    :param verify_token: gives the caller that an unknown bearer token stands for, or None
    """

    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    permissions: Mapping[str, Sequence[str]] = field(default_factory=lambda: {EVERYONE: sorted(ALL_PERMISSIONS)})
    anonymous: bool | None = None
    verify_token: Callable[[str], Principal | None] | None = None


def _unauthenticated(text: str) -> ApiError:
    return ApiError(grpc.StatusCode.UNAUTHENTICATED, text)


MISSING = "Request could not be authenticated: Missing credentials"
INVALID = "Request could not be authenticated: Invalid credentials presented"


class Authenticator:
    """Tells who sends a request; tokens can be added and taken back while the server runs, from any thread."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._tokens = dict(credentials.tokens)
        self._expiry: dict[str, float] = {}
        self._lock = threading.Lock()

    def add_token(self, token: str, user: str, lifetime: float | None = None) -> None:
        """Accept a bearer token, also one that was taken back.

        :param lifetime: seconds after which it is refused, None for ever
        """
        with self._lock:
            self._tokens[token] = user
            self._expiry[token] = float("inf") if lifetime is None else clock.monotonic() + lifetime

    def expire_token(self, token: str) -> None:
        """Refuse a bearer token from now on."""
        with self._lock:
            self._expiry[token] = 0.0

    @property
    def anonymous(self) -> bool:
        """Whether callers without credentials get in."""
        allowed = self.credentials.anonymous
        guarded = self.credentials.users or self._tokens or self.credentials.verify_token
        return not guarded if allowed is None else allowed

    def authenticate(self, authorization: str) -> Principal:
        """Return who sent an ``authorization`` header.

        :raises ApiError: UNAUTHENTICATED
        """
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "basic" and self.credentials.users:
            return self._basic(value)
        if scheme.lower() == "bearer" and (self._tokens or self.credentials.verify_token):
            return self._bearer(value)
        if self.anonymous:
            return self._principal(ANONYMOUS)
        raise _unauthenticated(MISSING)

    def _basic(self, encoded: str) -> Principal:
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _unauthenticated(INVALID) from None
        if not colon or self.credentials.users.get(user) != password:
            raise _unauthenticated(INVALID)
        return self._principal(user)

    def _bearer(self, token: str) -> Principal:
        with self._lock:
            user = self._tokens.get(token)
            expired = clock.monotonic() >= self._expiry.get(token, float("inf"))
        if expired:
            raise _unauthenticated(f"{INVALID}: token is expired")
        if user is not None:
            return self._principal(user)
        verify = self.credentials.verify_token
        principal = verify(token) if verify else None
        if principal is None:
            raise _unauthenticated(INVALID)
        return principal

    def _principal(self, user: str) -> Principal:
        return Principal(user, frozenset({EVERYONE, *self.credentials.groups.get(user, ())}))

    def may(self, principal: Principal, permission: str) -> bool:
        """Return whether a caller has a global permission."""
        granted = self.credentials.permissions
        return any(permission in granted.get(name, ()) for name in (principal.name, *principal.groups))
