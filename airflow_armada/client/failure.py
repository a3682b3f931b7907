"""The roots of the client's error tree, free of grpc so that settings and credentials can raise them."""

from __future__ import annotations

from typing import Any


class ArmadaError(Exception):
    """Something about talking to Armada went wrong; ``str()`` is one line that says what, where and what to do."""

    partial: Any = None
    """What had succeeded before, of a call that is divided into several requests."""

    @property
    def transient(self) -> bool:
        """Whether the same attempt may succeed soon."""
        return False


class SettingsError(ArmadaError, ValueError):
    """The settings of a site cannot work as they are: a malformed address, an unreadable certificate and so on."""


class CredentialsError(ArmadaError):
    """No usable credentials could be had: a missing file, a failing command, a refused token request.

    :param message: what was wrong, without the secret
    :param transient: whether the same attempt may succeed soon, as when a token server cannot be reached
    """

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self._transient = transient

    @property
    def transient(self) -> bool:
        return self._transient
