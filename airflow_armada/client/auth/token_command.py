"""Tokens from an environment variable, or from a command that prints one."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field

from airflow_armada.client.auth.credentials import Credentials, bearer
from airflow_armada.client.auth.renewing import RenewedCredentials
from airflow_armada.client.auth.tokens import Token, jwt_expiry
from airflow_armada.client.failure import CredentialsError


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
class TokenCommand(RenewedCredentials):
    """A program that prints a token on its standard output: armadactl's ``execAuth``.

    armadactl runs it for every call. Here a JWT is kept until shortly before it expires, and any other token for
    ``opaque_lifetime``. What the program writes to standard error goes to that of this process.

    :param program: name or path of the program, not a shell command
    :param arguments: its arguments, never shown
    :param environment: (name, value) pairs to add to its environment, never shown
    :param interactive: give it the standard input of this process
    :param timeout: s until it is ended
    :param opaque_lifetime: s for which a token that does not tell its own expiry is used
    """

    program: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    interactive: bool = False
    timeout: float = 60.0
    opaque_lifetime: float = 60.0

    def fetch(self) -> Token:
        header = bearer(self._output(), f"the output of {self.program}")
        token, now = header.removeprefix("Bearer "), time.time()
        return Token(token, obtained_at=now, expires_at=jwt_expiry(token) or now + self.opaque_lifetime)

    def _output(self) -> str:
        try:
            done = subprocess.run(
                [self.program, *self.arguments],
                stdin=None if self.interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**os.environ, **dict(self.environment)},
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CredentialsError(
                f"{self.program} printed no token within {self.timeout:g} s", transient=True
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name, arguments or environment cannot be used"
            raise CredentialsError(f"cannot run {self.program} for a token: {reason}") from None
        if done.returncode:
            raise CredentialsError(
                f"{self.program} failed with exit code {done.returncode} instead of printing a token"
            )
        return done.stdout.decode("utf-8", "replace")
