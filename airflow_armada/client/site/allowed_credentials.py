"""
Which credentials a connection may take from the machine that uses it: files, variables, programs, service accounts.

Whoever edits a connection chooses where credentials go, so these kinds would hand him any file, variable or account of
Airflow's machines. They are off until whoever runs Airflow allows them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from airflow_armada.client.failure import SettingsError
from airflow_armada.client.site.field_values import FieldValues

HOST_KINDS = (
    *("token_file", "token_variable", "token_command"),
    *("oidc_login", "oidc_kubernetes", "kubernetes", "armadactl"),
)
"""Kinds of credentials that use what is on the machine, not what is in the connection."""

_FILES = {
    "token_file": "token_file",
    "oidc_login": "oidc_token_cache",
    "oidc_kubernetes": "token_file",
    "armadactl": "armadactl",
}
_OFF = "it lets a connection use what is on Airflow's machines; allow it in [armada] allowed_credentials"


@dataclass(frozen=True)
class AllowedCredentials:
    """
    What is allowed. Patterns are those of ``fnmatch``.

    :param kinds: of :data:`HOST_KINDS`
    :param variables: patterns of environment variables to read, and to set for a command
    :param files: patterns of paths; the default paths of kinds that have one need none
    :param commands: patterns of programs with their arguments, word by word; a last word ``*`` stands for any arguments
    :param everything: whether there is no limit, for whoever uses his own machine
    :param refusal: why a kind is not allowed and what to do
    """

    kinds: frozenset[str] = frozenset()
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    everything: bool = False
    refusal: str = _OFF

    def check(self, kind: str, values: FieldValues) -> None:
        """
        Check a connection.

        :param kind: of its credentials
        :param values: its fields
        :raises SettingsError: when it wants what is not allowed
        """
        if self.everything or kind not in HOST_KINDS:
            return
        if kind not in self.kinds:
            raise SettingsError(f"credentials of the kind {kind} are not allowed: {self.refusal}")
        if kind == "token_variable":
            self._check_variables([values.text("token_variable")])
        elif kind == "token_command":
            self._check_command(values)
        elif kind in _FILES:
            self._check_file(values.text(_FILES[kind]))

    def _check_file(self, path: str) -> None:
        # Only an absolute path means the same file everywhere; without dots it cannot leave a folder of the list.
        real = os.path.normpath(os.path.expanduser(path))
        if path and not (os.path.isabs(real) and any(fnmatchcase(real, one) for one in self.files)):
            raise SettingsError("the connection's file is not allowed: add it to [armada] allowed_credential_files")

    def _check_variables(self, names: Iterable[str]) -> None:
        for name in filter(None, names):
            if not any(fnmatchcase(name, one) for one in self.variables):
                raise SettingsError(
                    "the connection's environment variable is not allowed: "
                    "add it to [armada] allowed_credential_variables"
                )

    def _check_command(self, values: FieldValues) -> None:
        words = (values.text("token_command"), *values.texts("token_command_arguments"))
        if not any(_matches(words, one) for one in self.commands):
            raise SettingsError(
                "the connection's token_command is not allowed with its arguments: "
                "add it to [armada] allowed_credential_commands"
            )
        self._check_variables(name for name, _ in values.pairs("token_command_environment"))


EVERYTHING = AllowedCredentials(everything=True)
NOTHING = AllowedCredentials()


def allowed_credentials(kinds: str, variables: str, files: str, commands: str) -> AllowedCredentials:
    """
    Read what is allowed; lists are separated by commas or line breaks.

    :raises SettingsError: when a kind is not one of :data:`HOST_KINDS`, or a command has open quotes
    """
    chosen = frozenset(_listed(kinds))
    if unknown := sorted(chosen.difference(HOST_KINDS)):
        raise SettingsError(
            f"[armada] allowed_credentials may name {', '.join(HOST_KINDS)}, not {unknown[0][:40]!r}; "
            "other kinds are always allowed"
        )
    try:
        words = tuple(tuple(shlex.split(one)) for one in _listed(commands))
    except ValueError:
        raise SettingsError("[armada] allowed_credential_commands has a command with open quotes") from None
    return AllowedCredentials(chosen, tuple(_listed(variables)), tuple(_listed(files)), words)


def _listed(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"[,\n]", text) if one.strip()]


def _matches(words: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if len(patterns) > 1 and patterns[-1] == "*":
        patterns, words = patterns[:-1], words[: len(patterns) - 1]
    return len(words) == len(patterns) and all(map(fnmatchcase, words, patterns))
