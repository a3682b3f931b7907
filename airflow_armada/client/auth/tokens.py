"""Access tokens: what one is, when it expires. Imports neither grpc nor Airflow."""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_armada.client.auth.holds_secrets import HoldsSecrets

_LAST_SECOND = 253402300799
"""The end of the year 9999; what comes later has no date."""


def jwt_claims(token: str) -> dict[str, object]:
    """
    Read the claims of a JWT without verifying it; only the server can verify it.

    :param token: any bearer token.
    :return: its claims, empty when the token is not a JWT.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1].encode("ascii") + b"=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def jwt_expiry(token: str) -> float | None:
    """
    :param token: any bearer token.
    :return: when it expires, in seconds since the epoch; None when it is no JWT, never expires, or at no real time.
    """
    expiry = jwt_claims(token).get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)):
        return None
    return float(expiry) if 0 <= expiry <= _LAST_SECOND else None


@dataclass(frozen=True)
class Token(HoldsSecrets):
    """
    A token as a token endpoint gave it.

    :param access_token: what the server wants to see.
    :param refresh_token: buys the next one; "" when there is none.
    :param obtained_at: seconds since the epoch.
    :param expires_at: seconds since the epoch; None when unknown.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    obtained_at: float = 0.0
    expires_at: float | None = None

    def expired(self, now: float | None = None) -> bool:
        """:return: whether the server must refuse it by now."""
        return self.expires_at is not None and (time.time() if now is None else now) >= self.expires_at

    def due(self, now: float | None = None) -> bool:
        """:return: whether to fetch the next one: in the last fifth of its life, at most 60 s before its end."""
        if self.expires_at is None:
            return False
        margin = min(60.0, max(0.0, self.expires_at - self.obtained_at) / 5)
        return (time.time() if now is None else now) >= self.expires_at - margin

    @classmethod
    def from_answer(cls, answer: Mapping[str, object], previous_refresh_token: str = "") -> Token:
        """
        Read a token endpoint's answer (RFC 6749 section 5.1).

        :param previous_refresh_token: kept when the answer brings no new one (section 6).
        :raises ValueError: if there is no access token in it.
        """
        access_token = answer.get("access_token")
        if not isinstance(access_token, str) or not access_token:
            raise ValueError("the answer holds no access_token")
        refresh_token = answer.get("refresh_token")
        now = time.time()
        return cls(
            access_token=access_token,
            refresh_token=refresh_token if isinstance(refresh_token, str) else previous_refresh_token,
            obtained_at=now,
            expires_at=_expiry(answer.get("expires_in"), access_token, now),
        )


def _expiry(expires_in: object, access_token: str, now: float) -> float | None:
    try:
        expiry = now + float(expires_in)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        expiry = math.nan
    return expiry if 0 <= expiry <= _LAST_SECOND else jwt_expiry(access_token)
