"""Tokens from a command that prints one."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field

from airflow_armada.client.auth.credentials import bearer
from airflow_armada.client.auth.renewing import RenewedCredentials
from airflow_armada.client.auth.tokens import Token, jwt_expiry
from airflow_armada.client.failure import CredentialsError

_LARGEST_OUTPUT = 1 << 20


@dataclass(frozen=True)
class TokenCommand(RenewedCredentials):
    """A program that prints a token on its standard output: armadactl's ``execAuth``.

    armadactl runs it for every call. Here a JWT is kept until shortly before it expires, and any other token for
    ``opaque_lifetime``. What the program writes to standard error is thrown away, because it may hold the token (as
    ``curl -v`` prints it), unless a person sits in front of it. It runs in a session of its own, and what is left of
    that is ended with it.

    :param program: name or path of the program, not a shell command
    :param arguments: its arguments, never shown
    :param environment: (name, value) pairs to add to its environment, never shown
    :param interactive: give it the standard input and error of this process
    :param timeout: s until it is ended
    :param opaque_lifetime: s for which a token that does not tell its own expiry is used
    """

    program: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    interactive: bool = False
    timeout: float = 60.0
    opaque_lifetime: float = 60.0

    def longest_fetch(self) -> float:
        return self.timeout + 5.0

    def fetch(self) -> Token:
        header = bearer(self._output(), f"the output of {self.program}", passing=True)
        token, now = header.removeprefix("Bearer "), time.time()
        return Token(token, obtained_at=now, expires_at=jwt_expiry(token) or now + self.opaque_lifetime)

    def _output(self) -> str:
        try:
            process = subprocess.Popen(
                [self.program, *self.arguments],
                stdin=None if self.interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if self.interactive else subprocess.DEVNULL,
                env={**os.environ, **dict(self.environment)},
                bufsize=0,
                start_new_session=not self.interactive,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name, arguments or environment cannot be used"
            raise CredentialsError(
                f"cannot run {self.program} for a token: {reason}", transient=isinstance(error, BlockingIOError)
            ) from None
        try:
            output = self._read(process)
            code = process.wait()
        finally:
            self._end(process)
        if code:
            raise CredentialsError(
                f"{self.program} failed with exit code {code} instead of printing a token; run it by hand to see why",
                transient=True,
            )
        return output.decode("utf-8", "replace")

    def _read(self, process: subprocess.Popen[bytes]) -> bytes:
        """Read until the program has ended, whoever else may hold the pipe open by then."""
        assert process.stdout is not None
        output, deadline = bytearray(), time.monotonic() + self.timeout
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            open_pipe = True
            while True:
                ended = process.poll() is not None
                while open_pipe and time.monotonic() <= deadline and selector.select(0 if ended else 0.05):
                    block = process.stdout.read(1 << 16)
                    open_pipe = bool(block)
                    output += block
                    if len(output) > _LARGEST_OUTPUT:
                        raise CredentialsError(f"{self.program} printed more than a token: over 1 MiB")
                if ended:
                    return bytes(output)
                if time.monotonic() > deadline:
                    raise CredentialsError(f"{self.program} printed no token within {self.timeout:g} s", transient=True)
                if not open_pipe:
                    time.sleep(0.01)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End the program and all that it has started."""
        try:
            if self.interactive:
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
