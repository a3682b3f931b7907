"""References to variables in commands, arguments and values: ``$(NAME)``, as Kubernetes replaces them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by the variable's value; ``$$`` gives ``$``, an unknown name stays as written."""
    return _REFERENCE.sub(lambda match: _replacement(match, variables), text)


def _replacement(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    return variables.get(match[1], match[0])
